"""Digests: read, printed and compared."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.digest import Algorithm, Digest, match_digests, parse_digest
from comfywatchman.errors import InvalidDigest

LENGTHS: dict[Algorithm, tuple[int, ...]] = {
    "sha256": (64,),
    "blake3": (64,),
    "crc32": (8,),
    "autov1": (8,),
    "autov2": (10,),
    "autov3": (12, 64),
}


def hexes(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length)


digests = st.sampled_from(
    [(name, length) for name, lengths in LENGTHS.items() for length in lengths]
).flatmap(lambda form: hexes(form[1]).map(lambda value: Digest(form[0], value)))
sets = st.lists(digests, max_size=4).map(tuple)


@given(digests)
def test_print_and_parse(digest: Digest) -> None:
    """What is printed reads back the same, in any case and with space around it."""
    assert parse_digest(str(digest)) == digest
    assert parse_digest(f"  {digest} \n".upper()) == digest


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a digest or an error that says so, never something else."""
    try:
        digest = parse_digest(text)
    except InvalidDigest:
        return
    assert parse_digest(str(digest)) == digest


@pytest.mark.parametrize(
    ("length", "algorithm"), [(64, "sha256"), (12, "autov3"), (10, "autov2"), (8, "autov1")]
)
def test_bare_hex(length: int, algorithm: str) -> None:
    """Bare hex is taken for what hex of its length usually is."""
    assert parse_digest("0F" * (length // 2)) == parse_digest(f"{algorithm}:{'0f' * (length // 2)}")


@pytest.mark.parametrize(
    "text",
    ["", ":", "sha256:", "sha256", "md5:" + "0" * 32, "0" * 32, "sha256:" + "0" * 63, "sha256:" + "g" * 64,
     "sha256:" + "0" * 63 + "\u0660", "sha256:" + "0" * 64 + ":x", "x:sha256:" + "0" * 64,
     "sha256: " + "0" * 64, "autov2:" + "0" * 12, "\u212a" * 64, "0" * 65],
)  # fmt: skip
def test_no_digest(text: str) -> None:
    """What is no digest is refused."""
    with pytest.raises(InvalidDigest):
        parse_digest(text)


@pytest.mark.parametrize(
    ("algorithm", "value"), [("sha256", "A" * 64), ("sha256", "0" * 64 + "\n"), ("sha1", "0" * 40)]
)
def test_digest_guards_itself(algorithm: Algorithm, value: str) -> None:
    """A Digest with a foreign algorithm or another form cannot be made."""
    with pytest.raises(InvalidDigest):
        Digest(algorithm, value)


def test_sha256_in_any_case() -> None:
    """CivitAI prints upper case."""
    value = hashlib.sha256(b"x").hexdigest()
    assert str(Digest.sha256(f" {value.upper()}\n")) == f"sha256:{value}"


def test_identifies() -> None:
    """Only whole-file hashes of cryptographic strength identify a file."""
    told = {name: Digest(name, "0" * lengths[0]).identifies for name, lengths in LENGTHS.items()}
    assert {name for name, identifies in told.items() if identifies} == {"sha256", "blake3"}


SHA, OTHER = Digest("sha256", "a" * 64), Digest("sha256", "b" * 64)
BLAKE = Digest("blake3", "c" * 64)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ((SHA,), (SHA,), True),
        ((SHA,), (OTHER,), False),
        ((SHA,), (BLAKE,), None),
        ((SHA, BLAKE), (BLAKE,), True),
        ((SHA, BLAKE), (OTHER, BLAKE), False),
        ((), (SHA,), None),
        ((SHA,), (Digest("autov2", "a" * 10),), None),
        ((SHA,), (Digest("autov2", "b" * 10),), False),
        ((Digest("crc32", "0" * 8),), (Digest("crc32", "0" * 8),), None),
        ((Digest("crc32", "0" * 8),), (Digest("crc32", "1" * 8),), False),
        ((Digest("crc32", "0" * 8),), (Digest("autov1", "1" * 8),), None),
        ((Digest("autov3", "d" * 12),), (Digest("autov3", "d" * 64),), None),
        ((Digest("autov3", "d" * 64),), (Digest("autov3", "e" * 12),), False),
        ((SHA, Digest("crc32", "0" * 8)), (SHA, Digest("crc32", "1" * 8)), False),
    ],
)
def test_match(ours: tuple[Digest, ...], theirs: tuple[Digest, ...], verdict: bool | None) -> None:
    """Same, different, or not to be told; short forms can only contradict."""
    assert match_digests(ours, theirs) is verdict
    assert match_digests(theirs, ours) is verdict


@given(sets, sets)
def test_match_is_symmetric(ours: tuple[Digest, ...], theirs: tuple[Digest, ...]) -> None:
    """Which set is asked about does not matter, nor does the order in it."""
    verdict = match_digests(ours, theirs)
    assert match_digests(theirs[::-1], ours) is verdict
