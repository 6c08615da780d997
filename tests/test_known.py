"""The direct-ID table: what is known without a network."""

import json
import logging
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tools.make_known_models import PACKAGE, make_known_models

from comfywatchman.catalog import RemoteFile, is_generic
from comfywatchman.digest import Digest
from comfywatchman.errors import InputError, InvalidAir, InvalidSettings
from comfywatchman.hubs.base import Fetched
from comfywatchman.hubs.known.known import OWN_NAME, SHIPPED, TEMPLATES_NAME, VERIFIED_NAME, Known
from comfywatchman.hubs.known.published import Places, find_places, read_manager_list, read_templates
from comfywatchman.hubs.known.tables import SCHEMA, Entry, format_table, make_entry, parse_table
from comfywatchman.resolution import Evidence
from comfywatchman.workflow.references import Reference

A, B, C = (Digest("sha256", letter * 64) for letter in "abc")
A2, B2 = (Digest("autov2", letter * 10) for letter in "ab")
HF = "https://huggingface.co"
FILES = f"{HF}/o/r/resolve/main"
CIVITAI = "https://civitai.com/api/download/models/5"
NO_MODELS = f'{{"schema": "{SCHEMA}", "models": []}}'


def reference(folder: str, name: str, *others: str, digest: Digest | None = None) -> Reference:
    return Reference(
        node_id="1",
        node_type="Loader",
        input_name="file",
        folder=folder,
        name=name,
        other_folders=others,
        digest=digest,
    )


def row(folder: str, name: str, url: str, *digests: Digest) -> dict[str, object]:
    return {"folder": folder, "name": name, "url": url, "digests": [str(digest) for digest in digests]}


def write_table(path: Path, *rows: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema": SCHEMA, "models": rows}), encoding="utf-8")
    return path


def known_of(tmp_path: Path, *rows: object) -> Known:
    """Tables of which only the shipped one has rows."""
    return Known(tmp_path / "home", shipped=write_table(tmp_path / "shipped.json", *rows))


def told(known: Known, asked: Reference) -> list[tuple[str, str]]:
    """Evidence of each candidate, and the end of its address."""
    return [(c.evidence.word, c.file.url.removeprefix(f"{FILES}/")) for c in known.find([asked])[0]]


def workflow(*models: dict[str, object], subgraphs: tuple[object, ...] = ()) -> dict[str, object]:
    return {
        "nodes": [{"type": "Loader", "properties": {"models": list(models)}}, {"type": "Note"}],
        "definitions": {"subgraphs": list(subgraphs)},
    }


def template_row(folder: str, name: str, url: str, digest: Digest | None = None) -> dict[str, object]:
    told: dict[str, object] = {"name": name, "url": url, "directory": folder}
    return told if digest is None else told | {"hash": digest.hex.upper(), "hash_type": "SHA256"}


# ── the shipped table ──


def test_shipped_table_is_fresh() -> None:
    """The shipped table is what its script makes of the pinned templates package."""
    assert SHIPPED.read_text(encoding="utf-8") == make_known_models(), (
        "make it again: python -m tests.tools.make_known_models"
    )


def test_shipped_table_reads_well() -> None:
    """One entry a line, sorted, its source and licence told, nothing dropped by a strict reader."""
    text = SHIPPED.read_text(encoding="utf-8")
    source, entries = parse_table(text, strict=True)
    lines = text.splitlines()[1:-1]
    assert len(lines) == len(entries)
    assert lines[:-1] == sorted(lines[:-1])
    assert PACKAGE in source
    assert "MIT" in json.loads(text)["licence"]


def test_official_names_resolve(shared_data: Path, tmp_path: Path) -> None:
    """Each official name without metadata leads to all its official addresses, and nowhere else."""
    official = json.loads((shared_data / "hubs" / "official_models.json").read_text(encoding="utf-8"))
    wanted: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for model in official["models"]:
        wanted[model["directory"], model["name"]].add(model["url"].removesuffix("?download=true"))
    conflicts = official["conflicts"]["same_name_different_url"]
    known = Known(tmp_path)

    answers = known.find([reference(folder, name) for folder, name in wanted])

    assert len({name for _, name in wanted}) == 353
    for (folder, name), candidates in zip(wanted, answers, strict=True):
        assert {c.file.url for c in candidates} == wanted[folder, name], name
        assert {(c.file.name, c.file.folder, c.evidence) for c in candidates} == {
            (name, folder, Evidence.KNOWN)
        }
        assert len(candidates) == 1 or name in conflicts
    assert list(tmp_path.iterdir()) == []


def test_official_names_in_another_spelling(shared_data: Path, tmp_path: Path) -> None:
    """Case and sub-folder of the widget do not matter to a name that tells something."""
    official = json.loads((shared_data / "hubs" / "official_models.json").read_text(encoding="utf-8"))
    known = Known(tmp_path)
    for model in official["models"]:
        [plain] = known.find([reference(model["directory"], model["name"])])
        [other] = known.find([reference(model["directory"], f"My Own\\{model['name'].upper()}")])
        assert plain == other
        assert not is_generic(model["name"])


# ── which entries count ──

CASES = [
    # what is asked; evidence and file that are told
    ("name and folder", reference("vae", "ae.safetensors"), [("known", "ae.safetensors")]),
    ("case", reference("vae", "sub/AE.safetensors"), [("known", "ae.safetensors")]),
    ("other folder serves", reference("x", "ae.safetensors", "vae"), [("known", "ae.safetensors")]),
    ("folder differs", reference("loras", "ae.safetensors"), [("name", "ae.safetensors")]),
    ("same digest", reference("vae", "ae.safetensors", digest=A), [("digest", "ae.safetensors")]),
    ("other digest", reference("vae", "ae.safetensors", digest=B), []),
    ("renamed", reference("vae", "z.safetensors", digest=A), [("digest", "ae.safetensors")]),
    ("short digest agrees", reference("vae", "ae.safetensors", digest=A2), [("known", "ae.safetensors")]),
    ("short digest differs", reference("vae", "ae.safetensors", digest=B2), []),
    ("unknown", reference("vae", "nothing.safetensors"), []),
    ("two folders", reference("checkpoints", "two.safetensors"), [("known", "c/two.safetensors")]),
    ("unicode form", reference("loras", "e\u0301te\u0301.safetensors"), [("known", "e.safetensors")]),
    ("stem", reference("embeddings", "EasyNegative"), [("known", "EasyNegative.pt")]),
    ("stem with a dot", reference("loras", "ink-v1.5"), [("known", "ink-v1.5.safetensors")]),
    ("stem in another folder", reference("loras", "easynegative"), []),
    ("another extension", reference("vae", "ae.ckpt"), []),
    ("generic", reference("controlnet", "model.pt"), [("similar-name", "model.pt")]),
    ("generic, agrees", reference("controlnet", "sdxl/union/model.pt"), [("known", "model.pt")]),
    ("generic, differs", reference("controlnet", "union/model.pt"), [("similar-name", "model.pt")]),
    ("generic, none", reference("instantid", "ip-adapter.bin"), [("similar-name", "ip-adapter.bin")]),
    ("generic, folder differs", reference("loras", "model.pt"), []),
    ("generic, digest", reference("loras", "model.pt", digest=C), [("digest", "model.pt")]),
    ("folder of a sub-folder", reference("ultralytics_bbox", "face.pt"), [("known", "face.pt")]),
    ("sub-folder of that folder", reference("ultralytics", "bbox/face.pt"), [("known", "face.pt")]),
]  # fmt: skip

ROWS = [
    row("vae", "ae.safetensors", f"{FILES}/ae.safetensors", A),
    row("checkpoints", "two.safetensors", f"{FILES}/c/two.safetensors"),
    row("unet", "two.safetensors", f"{FILES}/d/two.safetensors"),
    row("loras", "\u00e9t\u00e9.safetensors", f"{FILES}/e.safetensors"),
    row("loras", "ink-v1.5.safetensors", f"{FILES}/ink-v1.5.safetensors"),
    row("embeddings", "EasyNegative.pt", f"{FILES}/EasyNegative.pt"),
    row("controlnet", "SDXL/union/model.pt", f"{FILES}/model.pt", C),
    row("instantid", "ip-adapter.bin", f"{FILES}/ip-adapter.bin"),
    row("ultralytics", "bbox/face.pt", f"{FILES}/face.pt"),
]


@pytest.mark.parametrize(("asked", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_evidence(tmp_path: Path, asked: Reference, expected: list[tuple[str, str]]) -> None:
    """Name and folder make it known; a generic name needs more; a contradicting digest excludes."""
    assert told(known_of(tmp_path, *ROWS), asked) == expected


def test_folder_by_its_old_name(tmp_path: Path) -> None:
    """An entry for `unet` is one for `diffusion_models`."""
    [[found]] = known_of(tmp_path, *ROWS).find([reference("diffusion_models", "two.safetensors")])
    assert (found.file.folder, found.evidence) == ("diffusion_models", Evidence.KNOWN)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("o/r/resolve/main/x.pt", ()), ("o/q/resolve/main/x.pt", ())], 2),
        ([("o/r/resolve/main/x.pt", ()), ("o/r/resolve/v2/x.pt", ())], 1),
        ([("o/r/resolve/main/x.pt", ()), ("O/R/blob/main/x.pt?download=true", ())], 1),
        ([("o/r/resolve/main/x.pt", ()), ("o/r/resolve/main/y/x.pt", ())], 2),
        ([("o/r/resolve/main/x.pt", (A,)), ("o/q/resolve/main/x.pt", (A,))], 1),
        ([("o/r/resolve/main/x.pt", (A,)), ("o/r/resolve/v2/x.pt", (B,))], 2),
        ([("o/r/resolve/main/x.pt", ()), ("o/r/resolve/v2/x.pt", (B,))], 1),
    ],
    ids=["two repos", "revisions", "spellings", "paths", "one digest", "revisions differ", "one told"],
)
def test_several_entries(tmp_path: Path, rows: list[tuple[str, tuple[Digest, ...]]], expected: int) -> None:
    """Entries of one name collapse when they are one file; the one with a digest comes first."""
    known = known_of(tmp_path, *(row("vae", "x.pt", f"{HF}/{url}", *digests) for url, digests in rows))
    [found] = known.find([reference("vae", "x.pt")])
    assert len(found) == expected
    assert bool(found[0].file.digests) == any(digests for _, digests in rows)


# ── addresses ──


@pytest.mark.parametrize(
    ("written", "hub", "url", "page"),
    [
        (
            f"{HF}/o/r/blob/main/a%20b.pt?download=true",
            "huggingface",
            f"{FILES}/a%20b.pt",
            f"{HF}/o/r/blob/main/a%20b.pt",
        ),
        ("hf:o/r/s/a.pt", "huggingface", f"{FILES}/s/a.pt", f"{HF}/o/r/blob/main/s/a.pt"),
        (f"{CIVITAI}?token=x&type=Model", "civitai", f"{CIVITAI}?type=Model", None),
        (f"{CIVITAI}?fileId=7&token=x", "civitai", f"{CIVITAI}?fileId=7", None),
        (
            "https://civitai.red/models/3/name?modelVersionId=5",
            "civitai",
            CIVITAI,
            "https://civitai.com/models/3?modelVersionId=5",
        ),
        ("v:5", "civitai", CIVITAI, None),
        ("https://github.com/o/r/blob/v1/w/a.pt", "web", "https://github.com/o/r/raw/v1/w/a.pt", None),
        ("https://github.com/o/r/releases/a.pt", "web", "https://github.com/o/r/releases/a.pt", None),
        (" https://example.org/a.pt?x=1 ", "web", "https://example.org/a.pt?x=1", None),
    ],
)
def test_address(written: str, hub: str, url: str, page: str | None) -> None:
    """What people paste becomes the address that answers with the bytes, without tokens."""
    file = make_entry("vae", "a.pt", written).file
    assert (file.hub, file.url, file.page) == (hub, url, page)


@pytest.mark.parametrize(
    "written",
    ["", "o/r", "929497", f"{HF}/o/r", f"{HF}/o/r/tree/main/s", "https://civitai.com/models/3", "ftp://e.org/a.pt",
     "file:///etc/passwd", "https:///a.pt", "http://[", "https://[x/a.pt"],
)  # fmt: skip
def test_address_of_no_file(written: str) -> None:
    """An address that means no single file makes no entry."""
    with pytest.raises(InvalidAir):
        make_entry("vae", "a.pt", written)


def test_revision_is_a_commit() -> None:
    """`revision` tells a commit, not a branch."""
    commit = "0123456789" * 4
    assert make_entry("vae", "a.pt", f"{HF}/o/r/resolve/{commit}/a.pt").file.revision == commit
    assert make_entry("vae", "a.pt", f"{HF}/o/r/resolve/main/a.pt").file.revision is None


# ── which table answers ──


def test_order_of_tables(tmp_path: Path) -> None:
    """The user's table wins over what was fetched, that over the shipped one, the Manager's comes last."""
    home = tmp_path / "home"
    templates, listed = tmp_path / "templates", tmp_path / "model-list.json"
    templates.mkdir()
    asked = reference("vae", "x.pt")
    addresses = {source: f"{HF}/o/{source}/resolve/main/x.pt" for source in "dcbae"}
    places = Places(templates=(templates,), manager_lists=(listed,))
    shipped = tmp_path / "shipped.json"

    def answer() -> list[str]:
        [found] = Known(home, places=places, shipped=shipped).find([asked])
        return [candidate.file.url for candidate in found]

    assert answer() == []
    manager_row = {"filename": "x.pt", "save_path": "vae/sub", "type": "VAE", "url": addresses["d"]}
    listed.write_text(json.dumps({"models": [manager_row]}), encoding="utf-8")
    assert answer() == [addresses["d"]]
    (templates / "t.json").write_text(json.dumps(workflow(template_row("vae", "x.pt", addresses["c"]))))
    assert answer() == [addresses["c"]]
    write_table(shipped, row("vae", "x.pt", addresses["b"]))
    assert answer() == [addresses["b"]]
    write_table(home / VERIFIED_NAME, row("vae", "x.pt", addresses["a"]))
    assert answer() == [addresses["a"]]
    write_table(home / OWN_NAME, row("vae", "x.pt", addresses["e"]))
    assert answer() == [addresses["e"]]


def test_contradicted_table_gives_way(tmp_path: Path) -> None:
    """A stronger table whose file the workflow's digest excludes leaves the answer to the next."""
    home = tmp_path / "home"
    write_table(home / OWN_NAME, row("vae", "x.pt", f"{HF}/o/own/resolve/main/x.pt", B))
    shipped = write_table(tmp_path / "s.json", row("vae", "x.pt", f"{HF}/o/shipped/resolve/main/x.pt", A))
    known = Known(home, shipped=shipped)
    assert told(known, reference("vae", "x.pt", digest=A)) == [
        ("digest", f"{HF}/o/shipped/resolve/main/x.pt")
    ]
    assert told(known, reference("vae", "x.pt")) == [("known", f"{HF}/o/own/resolve/main/x.pt")]


def test_folder_in_a_weak_table_beats_a_name_in_a_strong_one(tmp_path: Path) -> None:
    """A name in the wrong folder counts only when no table has it in the right one."""
    home = tmp_path / "home"
    write_table(home / OWN_NAME, row("loras", "x.pt", f"{HF}/o/own/resolve/main/x.pt"))
    shipped = write_table(tmp_path / "s.json", row("vae", "x.pt", f"{HF}/o/shipped/resolve/main/x.pt"))
    known = Known(home, shipped=shipped)
    assert told(known, reference("vae", "x.pt")) == [("known", f"{HF}/o/shipped/resolve/main/x.pt")]
    assert [word for word, _ in told(known, reference("unknown", "x.pt"))] == ["name", "name"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "$.schema"),
        ('{"schema": "comfywatchman.known-models/2", "models": []}', "known-models/2"),
        (f'{{"schema": "{SCHEMA}", "models": {{}}}}', "$.models: expected a list"),
        (f'{{"schema": "{SCHEMA}", "models": [{{"folder": "vae", "name": "x.pt"}}]}}', "$.models[0].url"),
        (NO_MODELS.replace("[]", '[{"folder": "vae", "name": "s/", "url": "v:1"}]'), "$.models[0]"),
        (NO_MODELS.replace("[]", '[{"folder": "vae", "name": "x", "url": "o/r"}]'), "$.models[0].url"),
        (NO_MODELS.replace("[]", '[{"folder": "vae", "name": "x", "url": "v:1", "size": -1}]'), "[0].size"),
        (NO_MODELS.replace("[]", '[{"folder": "v", "name": "x", "url": "v:1", "digests": ["x"]}]'), "digest"),
    ],
)
def test_bad_own_table(tmp_path: Path, text: str, said: str) -> None:
    """A fault in the user's own table is told with the file and the place in it, never passed over."""
    (tmp_path / OWN_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSettings) as fault:
        Known(tmp_path).find([reference("vae", "ae.safetensors")])
    assert said in fault.value.message
    assert OWN_NAME in fault.value.message


def test_own_table_that_cannot_be_read(tmp_path: Path) -> None:
    """A folder where the user's table should be is an error, too."""
    (tmp_path / OWN_NAME).mkdir()
    with pytest.raises(InvalidSettings):
        Known(tmp_path).find([reference("vae", "ae.safetensors")])


def test_bad_entries_of_other_tables(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Elsewhere a bad entry is logged and the good ones still count."""
    shipped = write_table(tmp_path / "s.json", {"folder": "vae"}, row("vae", "x.pt", "v:1"))
    with caplog.at_level(logging.WARNING):
        assert len(Known(tmp_path, shipped=shipped).find([reference("vae", "x.pt")])[0]) == 1
    assert "$.models[0].name" in caplog.text


# ── memory of what was fetched ──

FETCHED = RemoteFile(hub="huggingface", name="x.pt", url=f"{HF}/o/r/resolve/{'1' * 40}/s/x.pt")


def fetched(file: RemoteFile, name: str, digest: Digest, size: int) -> Fetched:
    return Fetched(file=file, folder="vae", name=name, digest=digest, size=size)


def test_remember(tmp_path: Path) -> None:
    """What was fetched is known at once and in the next process, with its digest, size and commit."""
    known = Known(tmp_path / "new" / "home", shipped=tmp_path / "none")
    assert known.find([reference("vae", "sub/x.pt")]) == [()]
    known.remember([fetched(FETCHED, "sub/x.pt", A, 7)])
    for one in (known, Known(tmp_path / "new" / "home", shipped=tmp_path / "none")):
        [[found]] = one.find([reference("vae", "sub/x.pt")])
        assert found.evidence is Evidence.KNOWN
        assert (found.file.url, found.file.digests, found.file.size) == (FETCHED.url, (A,), 7)
        assert found.file.revision == "1" * 40
    assert [path.name for path in (tmp_path / "new" / "home").iterdir()] == [VERIFIED_NAME]


def test_remember_again(tmp_path: Path) -> None:
    """The same content in the same place replaces its memory; other content stands beside it."""
    known = Known(tmp_path, shipped=tmp_path / "none")
    known.remember([fetched(FETCHED, "x.pt", A, 7)])
    elsewhere = replace(FETCHED, url="https://example.org/x.pt", hub="web")
    known.remember([fetched(elsewhere, "x.pt", A, 7)])
    assert [word for word, _ in told(known, reference("vae", "x.pt"))] == ["known"]
    known.remember([fetched(FETCHED, "x.pt", B, 8)])
    assert len(told(known, reference("vae", "x.pt"))) == 2


@pytest.mark.parametrize(
    ("file", "url"),
    [
        (replace(FETCHED, url="http://127.0.0.1:8080/o/r/resolve/main/x.pt"), f"{HF}/o/r/resolve/main/x.pt"),
        (
            RemoteFile(hub="civitai", name="x.pt", url="http://127.0.0.1:1/api/download/models/5?fileId=7"),
            "https://civitai.com/api/download/models/5?fileId=7",
        ),
        (RemoteFile(hub="web", name="x.pt", url="http://host:1/x.pt"), "http://host:1/x.pt"),
        (
            replace(FETCHED, url="http://host/hf/o/r/resolve/main/x.pt"),
            "http://host/hf/o/r/resolve/main/x.pt",
        ),
    ],
)
def test_remember_from_a_mirror(tmp_path: Path, file: RemoteFile, url: str) -> None:
    """What came through a mirror or a stand-in is remembered at the hub itself."""
    known = Known(tmp_path, shipped=tmp_path / "none")
    known.remember([fetched(file, "x.pt", A, 7)])
    assert known.find([reference("vae", "x.pt")])[0][0].file.url == url


def test_remember_what_has_no_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file without a usable address is not remembered, and that is no error."""
    Known(tmp_path).remember([fetched(replace(FETCHED, url="x:y"), "x.pt", A, 7)])
    assert "cannot remember" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_damaged_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged memory is logged, counts as empty, and is written anew."""
    (tmp_path / VERIFIED_NAME).write_bytes(b'{"schema": "comfywatchman.known-models/1", "mod')
    known = Known(tmp_path, shipped=tmp_path / "none")
    assert known.find([reference("vae", "x.pt")]) == [()]
    assert VERIFIED_NAME in caplog.text
    known.remember([fetched(FETCHED, "x.pt", A, 7)])
    assert len(Known(tmp_path, shipped=tmp_path / "none").find([reference("vae", "x.pt")])[0]) == 1


def test_memory_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where nothing can be written, the file is still known for now and nothing is left behind."""
    (tmp_path / VERIFIED_NAME).mkdir()
    known = Known(tmp_path, shipped=tmp_path / "none")
    known.remember([fetched(FETCHED, "x.pt", A, 7)])
    assert len(known.find([reference("vae", "x.pt")])[0]) == 1
    assert "cannot write" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == [VERIFIED_NAME]


def test_remember_from_threads(tmp_path: Path) -> None:
    """Transfers that end at once all leave their memory."""
    known = Known(tmp_path, shipped=tmp_path / "none")
    with ThreadPoolExecutor(8) as pool:
        for number in range(24):
            pool.submit(known.remember, [fetched(FETCHED, f"{number}.pt", A, 7)])
    asked = [reference("vae", f"{number}.pt") for number in range(24)]
    assert all(Known(tmp_path, shipped=tmp_path / "none").find(asked))


def test_remember_many(tmp_path: Path) -> None:
    """The files of one run are kept together, those without a usable address left out."""
    good = [fetched(FETCHED, f"{number}.pt", A, 7) for number in range(3)]
    Known(tmp_path).remember([*good, fetched(replace(FETCHED, url="x:y"), "bad.pt", A, 7)])
    asked = [reference("vae", f"{name}.pt") for name in (0, 1, 2, "bad")]
    found = Known(tmp_path, shipped=tmp_path / "none").find(asked)
    assert [len(one) for one in found] == [1, 1, 1, 0]


# ── what others publish ──


def test_templates(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Models of nodes and of nested subgraphs; one place once, with its digest; bad rows and files pass."""
    x = f"{HF}/o/r/resolve/main/x.pt"
    inner = workflow(template_row("clip", "z.pt", f"{HF}/o/r/resolve/main/z.pt"))
    files = {
        "a.json": workflow(template_row("vae", "x.pt", x + "?download=true"), {"name": "no url"}),
        "b.json": workflow(template_row("vae", "x.pt", x, A), subgraphs=(workflow(subgraphs=(inner,)),)),
        "c.json": workflow(template_row("vae", "x.pt", x)),
        "d.json": workflow(template_row("vae", "y.pt", x, A), template_row("vae", "y.pt", x, B)),
        "index.json": [{"moduleName": "default"}],
        "list.json": {"nodes": {"1": 1}},
    }
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "broken.json").write_bytes(b"{")
    (tmp_path / "folder.json").mkdir()
    found = {(e.folder, e.path, e.file.digests) for e in read_templates(tmp_path)}
    assert found == {
        ("vae", "x.pt", (A,)), ("text_encoders", "z.pt", ()), ("vae", "y.pt", (A,)), ("vae", "y.pt", (B,))
    }  # fmt: skip
    assert {"a.json", "broken.json", "folder.json", "list.json"} == {
        name for name in [*files, "broken.json", "folder.json"] if name in caplog.text
    }


def test_templates_cache(tmp_path: Path) -> None:
    """Templates are read once, again when their folder changes, and never for what is shipped."""
    home, templates, shipped = tmp_path / "home", tmp_path / "templates", tmp_path / "shipped.json"
    templates.mkdir()
    write_table(shipped, row("vae", "known.pt", "v:1"))
    (templates / "a.json").write_text(json.dumps(workflow(template_row("vae", "x.pt", "v:5"))))

    def find(name: str) -> int:
        known = Known(home, places=Places(templates=(templates,)), shipped=shipped)
        return len(known.find([reference("vae", name)])[0])

    assert find("known.pt") == 1
    assert not home.exists()
    assert find("x.pt") == 1
    written = (home / TEMPLATES_NAME).stat().st_mtime_ns
    assert (find("x.pt"), find("y.pt")) == (1, 0)
    assert (home / TEMPLATES_NAME).stat().st_mtime_ns == written
    (templates / "b.json").write_text(json.dumps(workflow(template_row("vae", "y.pt", "v:6"))))
    assert find("y.pt") == 1
    (templates / "a.json").unlink()
    assert find("x.pt") == 0


def test_templates_that_are_gone(tmp_path: Path) -> None:
    """A templates folder that was removed is none."""
    known = Known(tmp_path, places=Places(templates=(tmp_path / "gone",)))
    assert known.find([reference("vae", "no such.pt")]) == [()]
    assert list(tmp_path.iterdir()) == []


MANAGER = {
    "name": "A VAE",
    "type": "VAE",
    "base": "SDXL",
    "save_path": "vae/SDXL",
    "filename": "x.pt",
    "url": f"{FILES}/x.pt",
    "size": "4.71MB",
}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({}, ("vae", "SDXL/x.pt")),
        ({"save_path": "default"}, ("vae", "x.pt")),
        ({"save_path": "default", "type": "upscale"}, ("upscale_models", "x.pt")),
        ({"save_path": "default", "type": "unet"}, ("diffusion_models", "x.pt")),
        ({"save_path": "default", "type": "zero123"}, None),
        ({"save_path": "clip"}, ("text_encoders", "x.pt")),
        ({"save_path": "ultralytics\\bbox"}, ("ultralytics", "bbox/x.pt")),
        ({"save_path": "custom_nodes/Pack/models"}, None),
        ({"save_path": "../outside"}, None),
        ({"save_path": "/etc"}, None),
        ({"save_path": "C:/models"}, None),
        ({"save_path": ""}, None),
        ({"filename": "<huggingface>", "url": "deepseek-ai/Janus-Pro-1B"}, None),
        ({"filename": "../x.pt"}, None),
        ({"filename": None}, None),
        ({"filename": ""}, None),
        ({"url": "javascript:alert(1)"}, None),
    ],
)
def test_manager_list(tmp_path: Path, changes: dict[str, object], place: tuple[str, str] | None) -> None:
    """`save_path` gives folder and sub-folder; what is no model file below a root is passed over."""
    path = tmp_path / "model-list.json"
    path.write_text(json.dumps({"models": [MANAGER | changes]}), encoding="utf-8")
    found = list(read_manager_list(path))
    assert [(entry.folder, entry.path) for entry in found] == ([place] if place else [])
    for entry in found:
        told = entry.file
        assert (told.base_model, told.model_name, told.size) == ("SDXL", "A VAE", None)


@pytest.mark.parametrize("text", ["", "[]", '{"models": 3}'])
def test_damaged_manager_list(tmp_path: Path, text: str) -> None:
    """A list that cannot be read is an empty one."""
    path = tmp_path / "model-list.json"
    path.write_text(text, encoding="utf-8")
    assert list(read_manager_list(path)) == []


def test_places(tmp_path: Path) -> None:
    """Templates and Manager lists are found in every layout in use, each once."""
    comfyui, extra = tmp_path / "ComfyUI", tmp_path / "extra"
    templates = [
        extra / "comfyui_workflow_templates_json" / "templates",
        comfyui / "venv/lib/python3.12/site-packages/comfyui_workflow_templates/templates",
        comfyui / ".venv/Lib/site-packages/comfyui_workflow_templates_media_api/templates",
        tmp_path / "python_embeded/Lib/site-packages/comfyui_workflow_templates_json/templates",
    ]
    lists = [
        comfyui / "user/__manager/cache/123_model-list.json.json",
        comfyui / "user/default/ComfyUI-Manager/cache/5_model-list.json.json",
        comfyui / "custom_nodes/comfyui-manager/model-list.json",
        extra / "comfyui_manager/model-list.json",
    ]
    for folder in templates:
        folder.mkdir(parents=True)
    for path in [*lists, comfyui / "custom_nodes/other/model-list.json"]:
        path.parent.mkdir(parents=True)
        path.touch()
    places = find_places(comfyui, [extra, extra, tmp_path / "none"])
    assert set(places.templates) == set(templates)
    assert len(places.templates) == len(templates)
    assert places.manager_lists == tuple(lists)
    assert find_places(None) == Places()


# ── the form of a table ──


def test_table_round_trip() -> None:
    """What is written is read back the same."""
    entries = (
        make_entry("loras", "s/x.pt", "v:5", digests=(A, B), size=3),
        make_entry("vae", "\u00e9.pt", f"{HF}/o/r/resolve/main/x.pt"),
    )
    text = format_table(reversed(entries), source="a test")
    assert parse_table(text, strict=True) == ("a test", entries)
    assert parse_table(format_table((), source=""), strict=True) == ("", ())


def test_example_of_the_documentation() -> None:
    """The table shown in the reference is one."""
    page = Path(__file__).resolve().parents[1] / "docs" / "reference" / "known-models.md"
    [example] = re.findall(r"```json\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(parse_table(example, strict=True)[1]) == 2


def test_table_of_a_foreign_schema() -> None:
    """A table of another schema is refused even where one is gentle."""
    with pytest.raises(InputError):
        parse_table('{"schema": "other/1"}', strict=False)


@pytest.mark.parametrize(
    ("name", "generic"),
    [
        ("model.safetensors", True),
        ("sub/Model.fp16.safetensors", True),
        ("model-00001-of-00002.safetensors", True),
        ("diffusion_pytorch_model.bf16.safetensors", True),
        ("diffusion_pytorch_model-00001-of-00003.safetensors", True),
        ("pytorch_model.bin", True),
        ("pytorch_lora_weights.safetensors", True),
        ("adapter_model.safetensors", True),
        ("text_encoder.safetensors", True),
        ("ip_adapter.safetensors", True),
        ("sd_xl_base_1.0.safetensors", False),
        ("model_v2.safetensors", False),
        ("ae.safetensors", False),
        ("my_model.safetensors", False),
        ("flux_vae.safetensors", False),
    ],
)
def test_generic_names(name: str, generic: bool) -> None:
    """Names that many repositories share are told from names that mean one model."""
    assert is_generic(name) is generic


def test_entry_is_a_value() -> None:
    """Equal facts make equal entries."""
    one, other = (make_entry("vae", "x.pt", "v:5") for _ in range(2))
    assert one == other
    assert isinstance(one, Entry)
    assert Known(Path()).name == "known"
