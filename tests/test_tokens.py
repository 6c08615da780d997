"""Where tokens live, and that they show themselves nowhere else."""

import copy
import dataclasses
import io
import logging
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.errors import InvalidSettings
from comfywatchman.secret import RedactingFilter, Secret, redact
from comfywatchman.tokens import FILE_NAME, Keyring, Token, TokenStore, choose_keyring, find_keyring

HF = "hf_" + "aB3" * 10
CIVITAI = "0123456789abcdef" * 2


class MemoryKeyring:
    """A back end that keeps secrets in memory."""

    priority = 5.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


def store(home: Path, keyring: Keyring | None = None, **environment: str) -> TokenStore:
    variables = {"HF_HOME": str(home / "no-hf-here"), **environment}
    return TokenStore(home, variables, keyring=keyring)


def revealed(token: Token | None) -> str | None:
    return token.secret.reveal() if token else None


@pytest.mark.parametrize(
    ("hub", "variable"),
    [
        ("civitai", "CIVITAI_API_KEY"),
        ("civitai", "CIVITAI_API_TOKEN"),
        ("civitai", "CIVITAI_TOKEN"),
        ("huggingface", "HF_TOKEN"),
        ("huggingface", "HUGGING_FACE_HUB_TOKEN"),
    ],
)
def test_environment(tmp_path: Path, hub: str, variable: str):
    """A variable wins over everything, without the newline that a shell left in it."""
    tokens = store(tmp_path, MemoryKeyring(), **{variable: f" {CIVITAI}\r\n"})
    tokens.set(hub, "another")

    token = tokens.get(hub)
    assert token == Token(Secret(CIVITAI), f"environment ({variable})", "environment")


def test_empty_variable(tmp_path: Path):
    """An empty variable is none."""
    assert store(tmp_path, CIVITAI_API_KEY="", HF_TOKEN=" \n").get("civitai") is None


@pytest.mark.parametrize("text", ["ключ", "a b", "a\x07b", "a\nb", "x" * 1025, "tökén"])
def test_bad_token(tmp_path: Path, text: str):
    """What cannot stand in a header is refused, without repeating it."""
    for act in (
        lambda: store(tmp_path, CIVITAI_API_KEY=text).get("civitai"),
        lambda: store(tmp_path).set("civitai", text),
    ):
        with pytest.raises(InvalidSettings, match="printable ASCII") as caught:
            act()
        assert text not in caught.value.message
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("text", ["", " \n"])
def test_empty_token(tmp_path: Path, text: str):
    """An empty token is not kept."""
    with pytest.raises(InvalidSettings, match="empty"):
        store(tmp_path).set("civitai", text)


def test_file(tmp_path: Path):
    """Without a keyring a token goes into the file, beside the other hub's, and out again."""
    home = tmp_path / "data"
    tokens = store(home)

    assert tokens.set("civitai", f"{CIVITAI}\n").where == str(home / FILE_NAME)
    tokens.set("huggingface", HF)
    assert revealed(store(home).get("civitai")) == CIVITAI
    assert revealed(store(home).get("huggingface")) == HF

    assert tokens.remove("civitai")
    assert not tokens.remove("civitai")
    assert tokens.get("civitai") is None
    assert revealed(tokens.get("huggingface")) == HF


@pytest.mark.skipif(os.name != "posix", reason="POSIX rights")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_rights(tmp_path: Path, umask: int):
    """The file is the user's alone from its first moment, whatever the umask."""
    (tmp_path / "data").mkdir(mode=0o700)
    before = os.umask(umask)
    try:
        store(tmp_path / "data").set("civitai", CIVITAI)
    finally:
        os.umask(before)

    assert (tmp_path / "data" / FILE_NAME).stat().st_mode & 0o177 == 0


def test_new_folder(tmp_path: Path):
    """A data folder that is made for the token lets nobody else in."""
    store(tmp_path / "data").set("civitai", CIVITAI)

    if os.name == "posix":
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.name != "posix", reason="POSIX rights")
@pytest.mark.parametrize(
    ("mode", "is_refused"), [(0o640, True), (0o604, True), (0o620, True), (0o600, False)]
)
def test_readable_by_others(tmp_path: Path, mode: int, is_refused: bool):
    """A file that others can read or write is refused with what to do; a private one is not."""
    tokens = store(tmp_path)
    tokens.set("civitai", CIVITAI)
    (tmp_path / FILE_NAME).chmod(mode)

    if is_refused:
        with pytest.raises(InvalidSettings, match=f"mode {mode:04o}") as caught:
            tokens.get("civitai")
        assert "chmod 600" in caught.value.hint
    else:
        assert revealed(tokens.get("civitai")) == CIVITAI


@pytest.mark.parametrize("text", ["{", "[]", '{"civitai": 5}', f'{{"civitai": "{CIVITAI}"'])
def test_bad_file(tmp_path: Path, text: str):
    """A file that is none of ours is refused, quoting nothing of it."""
    (tmp_path / FILE_NAME).write_text(text)
    (tmp_path / FILE_NAME).chmod(0o600)

    with pytest.raises(InvalidSettings, match="expected an object of texts") as caught:
        store(tmp_path).get("civitai")
    assert caught.value.__suppress_context__


def test_folder_in_the_way(tmp_path: Path):
    """A folder in the file's place is told."""
    (tmp_path / FILE_NAME).mkdir(mode=0o700)

    with pytest.raises(InvalidSettings, match="cannot be read"):
        store(tmp_path).get("civitai")


def test_cannot_write(tmp_path: Path):
    """A place that cannot be written is told."""
    (tmp_path / "home").symlink_to(tmp_path / "unmounted")

    with pytest.raises(InvalidSettings, match="cannot be written"):
        store(tmp_path / "home").set("civitai", CIVITAI)


def test_keyring(tmp_path: Path):
    """With a keyring nothing is in the file, and what was there goes."""
    store(tmp_path).set("civitai", "older")
    keyring = MemoryKeyring()
    tokens = store(tmp_path, keyring)

    assert tokens.set("civitai", CIVITAI) == Token(Secret(CIVITAI), "keyring", "keyring")
    assert revealed(tokens.get("civitai")) == CIVITAI
    assert (tmp_path / FILE_NAME).read_text().strip() == "{}"
    assert tokens.remove("civitai")
    assert keyring.kept == {}
    assert not tokens.remove("civitai")


@pytest.mark.parametrize("hub", ["", "github", "../x"])
def test_unknown_hub(tmp_path: Path, hub: str):
    """Only the hubs there are have tokens."""
    tokens = store(tmp_path)
    acts: list[Callable[[], object]] = [
        lambda: tokens.get(hub),
        lambda: tokens.set(hub, CIVITAI),
        lambda: tokens.remove(hub),
    ]
    for act in acts:
        with pytest.raises(InvalidSettings, match="unknown"):
            act()


@pytest.mark.parametrize("variable", ["HF_TOKEN_PATH", "HF_HOME", "XDG_CACHE_HOME", "HOME"])
def test_huggingface_hub(tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch):
    """What `hf auth login` left is read where that program keeps it, and never changed."""
    ends = {
        "HF_TOKEN_PATH": "t", "HF_HOME": "token", "XDG_CACHE_HOME": "huggingface/token",
        "HOME": ".cache/huggingface/token",
    }  # fmt: skip
    path = tmp_path / ends[variable]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HF}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    environment = {variable: str(path if variable == "HF_TOKEN_PATH" else tmp_path)}
    tokens = TokenStore(tmp_path / "data", environment)

    assert tokens.get("huggingface") == Token(Secret(HF), str(path), "huggingface")
    assert tokens.get("civitai") is None
    assert not tokens.remove("huggingface")
    assert path.read_text() == f"{HF}\n"
    quiet = TokenStore(tmp_path / "data", {**environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"})
    assert quiet.get("huggingface") is None


def test_huggingface_hub_unreadable(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A file of that program that cannot be read is told in the log and stops nothing."""
    (tmp_path / "token").mkdir()

    assert store(tmp_path, HF_HOME=str(tmp_path)).get("huggingface") is None
    assert "cannot be read" in caplog.text


def backend(module: str, priority: float, **more: object) -> object:
    """An object as the keyring package's back ends are: told by its class's module and priority."""
    return type("Backend", (MemoryKeyring,), {"__module__": module, "priority": priority, **more})()


@pytest.mark.parametrize(
    ("candidate", "is_real"),
    [
        (backend("keyring.backends.SecretService", 5), True),
        (backend("keyring.backends.macOS", 5), True),
        (backend("keyring.backends.Windows", 5), True),
        (backend("keyring.backends.fail", 0), False),
        (backend("keyring.backends.null", -1), False),
        (backend("keyrings.alt.file", 0.5), False),
        (backend("keyrings.alt.file", 9), False),
        (backend("some.other", 0.9), False),
        (object(), False),
    ],
)
def test_real_keyring(candidate: object, is_real: bool):
    """Back ends that keep plain text or nothing are refused."""
    assert choose_keyring(candidate) is (candidate if is_real else None)


def test_chain_of_keyrings():
    """Of a chain only the real link is used, or the chain would fall back to plain text."""
    plain, real = backend("keyrings.alt.file", 0.5), backend("keyring.backends.libsecret", 4.8)
    chain = backend("keyring.backends.chainer", 10, backends=[plain, real])

    assert choose_keyring(chain) is real
    assert choose_keyring(backend("keyring.backends.chainer", 10, backends=[plain])) is None


KEYRING_PACKAGE = """
class Backend:
    priority = 5
    def get_password(self, *a): raise errors.KeyringError("locked")
    set_password = delete_password = get_password
from . import errors
def get_keyring(): return Backend()
"""


@pytest.fixture
def keyring_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A `keyring` package whose back end is locked, first on the path."""
    package = tmp_path / "site" / "keyring"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(KEYRING_PACKAGE)
    (package / "errors.py").write_text("class KeyringError(Exception): ...\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "keyring"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(package.parent))
    yield package
    for name in ("keyring", "keyring.errors"):
        sys.modules.pop(name, None)


def test_locked_keyring(keyring_package: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """A keyring that does not answer is told in the log; the token goes into the file."""
    keyring = find_keyring()
    assert keyring is not None
    tokens = store(tmp_path, keyring)

    assert tokens.set("civitai", CIVITAI).where == str(tmp_path / FILE_NAME)
    assert revealed(tokens.get("civitai")) == CIVITAI
    assert "locked" in caplog.text
    assert CIVITAI not in caplog.text


def test_keyring_that_keeps_hold(keyring_package: Path, tmp_path: Path):
    """A keyring that refuses to forget is an error: the token would still be there."""
    errors = pytest.importorskip("keyring.errors")

    class Stubborn(MemoryKeyring):
        def delete_password(self, service: str, username: str) -> None:
            raise errors.KeyringError("denied")

    tokens = store(tmp_path, Stubborn())
    tokens.set("civitai", CIVITAI)

    with pytest.raises(InvalidSettings, match="does not let it go: denied"):
        tokens.remove("civitai")


def test_no_keyring_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The package is optional."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setitem(sys.modules, "keyring.errors", None)

    assert find_keyring() is None
    assert store(tmp_path, MemoryKeyring()).set("civitai", CIVITAI).where == "keyring"


@dataclasses.dataclass
class Holder:
    secret: Secret


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        lambda secret: f"{secret} {secret!r} {secret:>20}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - the old form is what is tested
        lambda secret: repr([secret, {"a": secret}]),
        lambda secret: repr(Holder(secret)),
        lambda secret: repr(dataclasses.asdict(Holder(secret))),
        lambda secret: pickle.dumps(secret).decode("latin-1"),
        lambda secret: pickle.loads(pickle.dumps(secret)).reveal(),
        lambda secret: repr(Token(secret, "here", "file")),
        lambda secret: secret.tail[:-4],
    ],
)
def test_secret_shows_nothing(show: Callable[[Secret], str]):
    """However a secret is printed or stored, its text is not in it."""
    assert HF not in show(Secret(HF))
    assert HF[5:15] not in show(Secret(HF))


def test_secret_reveals():
    """Only reveal gives the text; copies in the process keep it, equality compares it."""
    secret = Secret(HF)

    assert secret.reveal() == HF
    assert copy.deepcopy([secret])[0].reveal() == copy.copy(secret).reveal() == HF
    assert secret == Secret(HF)
    assert len({secret, Secret(HF), Secret("b")}) == 2
    assert secret != HF
    assert secret.tail == "••••" + HF[-4:]
    assert Secret("short").tail == "••••"
    with pytest.raises(TypeError):
        __import__("json").dumps(secret)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"token {HF} used", "token *** used"),
        (f"Authorization: Bearer {CIVITAI}", "Authorization: Bearer ***"),
        ("{'Authorization': 'Bearer abc.def'}", "{'Authorization': 'Bearer ***'}"),
        ("authorization=AWS4-HMAC", "authorization=***"),
        ("Proxy: Basic dXNlcjpwdw==", "Proxy: Basic ***"),
        (f'{{"token": "{CIVITAI}"}}', '{"token": "***"}'),
        (f"api_key={CIVITAI}&x=1", "api_key=***&x=1"),
        (f"key {CIVITAI}", "key ***"),
        ("/api/download/1?token=abc&type=Model", "/api/download/1?token=***&type=Model"),
        ("X-Amz-Signature=ab&X-Amz-Credential=cd", "X-Amz-Signature=***&X-Amz-Credential=***"),
        ("Signature=ab~c_&Policy=xy_", "Signature=***&Policy=***"),
        ("https://b2.example/f.bin?Authorization=3_2#x failed", "https://b2.example/f.bin?*** failed"),
        ("'https://h.example/a?b=c', 1", "'https://h.example/a?***', 1"),
        ("http://user:pw@proxy:8080/x", "http://***@proxy:8080/x"),
        ("https://civitai.com/models/1 is fine", "https://civitai.com/models/1 is fine"),
        ("settings.json: key transfers_at_once: expected", "settings.json: key transfers_at_once: expected"),
        ("sha256:" + "ab" * 32, "sha256:" + "ab" * 32),
    ],
)
def test_redact(text: str, clean: str):
    """Everything that looks like a secret goes; the rest stays readable."""
    assert redact(text) == clean


def test_redact_known():
    """A known secret goes wherever it stands, whatever it looks like."""
    assert redact("a/hunter2/b", [Secret("hunter2"), Secret("")]) == "a/***/b"
    assert redact("a/hunter2/b") == "a/hunter2/b"


@pytest.mark.parametrize("piece", ["a-", "http://", "token ", "key=", "hf_a", "Bearer "])
def test_redact_long_text(piece: str):
    """A long hostile line takes no time worth speaking of."""
    began = time.perf_counter()
    redact(piece * 10_000)

    assert time.perf_counter() - began < 5


@given(st.text(max_size=20), st.from_regex(r"hf_[A-Za-z0-9]{20,40}", fullmatch=True), st.text(max_size=20))
def test_redact_law(before: str, token: str, after: str):
    """Law: a known token is in no redacted text."""
    assert token not in redact(before + token + after, [Secret(token)])


@pytest.mark.parametrize("is_on", [True, False])
def test_log_filter(is_on: bool):
    """Messages, arguments, tracebacks and stacks lose their secrets; with the filter off they are there."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    if is_on:
        handler.addFilter(RedactingFilter([Secret("hunter2")]))
    log = logging.getLogger(f"test_log_filter.{is_on}")
    log.addHandler(handler)

    log.warning("asking %s with %s", "https://h.example/a?token=hunter2", HF)
    try:
        int(f"bad token {HF} or hunter2")
    except ValueError:
        log.exception("failed", stack_info=True)

    assert (HF in out.getvalue()) is not is_on
    assert ("or hunter2" in out.getvalue()) is not is_on
    assert "ValueError" in out.getvalue()
    assert "failed" in out.getvalue()
