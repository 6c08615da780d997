"""What a person sees at a terminal of some width: tables, bars, questions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from cli_desk import LORA, OTHER_LORA, VAE, Desk, lines_with
from fakehub import faults

from comfywatchman.catalog import LocalFile, RemoteFile, page_of
from comfywatchman.cli.bars import Bars
from comfywatchman.cli.cards import render_description, render_listing
from comfywatchman.cli.tables import columns, format_size, render_table, shorten
from comfywatchman.cli.views import render_answer, render_plan
from comfywatchman.cli.words import short_path
from comfywatchman.consent import Consent
from comfywatchman.digest import Digest
from comfywatchman.library.examination import Examination, Inside
from comfywatchman.library.sidecars.beside import Beside
from comfywatchman.plan import Plan, Transfer
from comfywatchman.report import Answer, Description, Listing, Report
from comfywatchman.resolution import Evidence, Placement, Present
from comfywatchman.transfer.events import Progress, State
from comfywatchman.workflow.references import Reference, Survey

HF = "https://huggingface.co"


@pytest.fixture(params=[80, 110, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The columns of a terminal."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    wide: int = request.param
    return wide


def fits(text: str, width: int) -> bool:
    """Whether no line is wider, but for addresses, which stay whole."""
    return all(columns(line) <= width for line in text.splitlines() if "://" not in line)


def stock(desk: Desk) -> Path:
    """Something of everything."""
    desk.hub.add_model("Fog", {"fog.safetensors": LORA}, creator="ann")
    desk.hub.add_model("Fog again", {"fog.safetensors": OTHER_LORA}, creator="bob")
    desk.hub.add_model("Ink", {"ink-with-a-name-that-is-rather-long_e4m3fn_scaled.safetensors": LORA})
    desk.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE})
    return desk.workflow(
        desk.lora("fog.safetensors"),
        desk.lora("ink-with-a-name-that-is-rather-long_e4m3fn_scaled.safetensors"),
        desk.lora("nobody.safetensors"),
        desk.vae("lamp.safetensors", url=f"{HF}/Comfy-Org/lamp/resolve/main/lamp.safetensors"),
    )


def test_widths(desk: Desk, width: int) -> None:
    """Nothing is wider than the terminal, and names of usual length are whole."""
    flow = stock(desk)
    for words in (("inspect", flow), ("resolve", flow), ("search", "fog"), ("settings", "show")):
        ran = desk.run(*words, terminal=True)
        assert fits(ran.out, width), ran.out
    told = desk.run("resolve", flow, terminal=True).out
    assert list(lines_with(told, "lamp.safetensors", "found", "fetch"))
    assert fits(desk.run("fetch", flow, "--yes", "--pick", "fog.safetensors=1").err, 200)


def test_questions_in_this_process(desk: Desk) -> None:
    """A choice, then one question for the plan; bars for what comes."""
    flow = stock(desk)
    ran = desk.run("fetch", flow, stdin="2\ny\n", terminal=True)
    assert ran.status == 3
    assert desk.files()["loras/fog.safetensors"] == OTHER_LORA
    assert len(desk.files()) == 3
    assert ran.err.count("fog.safetensors may be one of:") == 1
    assert "total" in ran.err
    assert "missing: not found in the workflow's links, the" in ran.out


def test_choice_left_open(desk: Desk) -> None:
    """0 leaves a model open, once for all nodes that name it."""
    stock(desk)
    flow = desk.workflow(desk.lora("fog.safetensors"), desk.lora("fog.safetensors"))
    ran = desk.run("fetch", flow, stdin="0\n", terminal=True)
    assert (ran.status, desk.files(), ran.err.count("Which one?")) == (3, {}, 1)


def test_bars_with_a_broken_line(desk: Desk) -> None:
    """A transfer that has to try again says so in its bar and comes in the end."""
    desk.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE})
    desk.hub.bend("delivery.bytes", faults.cut(20_000), times=1)
    words = ("fetch", "hf:Comfy-Org/lamp/lamp.safetensors", "--folder", "vae", "--yes")
    ran = desk.run(*words, terminal=True)
    assert ran.status == 0
    assert "tries again in 1 s" in ran.err


def test_lines_with_a_broken_line(desk: Desk) -> None:
    """Elsewhere a line tells it."""
    desk.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE})
    desk.hub.bend("delivery.bytes", faults.cut(20_000), times=1)
    ran = desk.run("fetch", "hf:Comfy-Org/lamp/lamp.safetensors", "--folder", "vae", "--yes")
    assert (ran.status, len(list(lines_with(ran.err, "vae/lamp.safetensors tries again")))) == (0, 1)


def transfer(name: str, size: int | None) -> Transfer:
    source = RemoteFile(hub="civitai", name=name, url=f"https://civitai.com/{name}", size=size)
    return Transfer(
        source=source,
        root="/m",
        folder="loras",
        path=name,
        evidence=Evidence.URL,
        consent=Consent.AUTOMATIC,
        reason="",
    )


def show(steps: Sequence[Progress], transfers: Sequence[Transfer]) -> None:
    with Bars(transfers) as bars:
        for step in steps:
            bars(step)


def test_bar_of_unknown_size(capsys: pytest.CaptureFixture[str]) -> None:
    """A size nobody said is a question mark until it is known; then there is a bar."""
    one = transfer("a.sft", None)
    steps = [
        Progress(transfer=one, state=State.RUNNING),
        Progress(transfer=one, state=State.RUNNING, done=10, size=40),
        Progress(transfer=one, state=State.VERIFIED, done=40, size=40),
    ]
    show(steps, [one])
    told = capsys.readouterr().err
    assert "a.sft" in told
    assert "/40.0" in told


def test_total_counts_what_was_here(capsys: pytest.CaptureFixture[str]) -> None:
    """Files that are here already, resumed and restarted ones: the total ends at its end."""
    transfers = [transfer("a.sft", 100), transfer("b.sft", 50), transfer("c.sft", 50)]
    one, two, three = transfers
    steps = [
        Progress(transfer=one, state=State.RUNNING, done=60, size=100),
        Progress(transfer=two, state=State.SKIPPED, done=0, size=50),
        Progress(transfer=three, state=State.RUNNING, done=30, size=50),
        Progress(transfer=three, state=State.QUEUED, done=0, size=50, note="tries again in 1 s"),
        Progress(transfer=three, state=State.FAILED, done=0, size=50),
        Progress(transfer=one, state=State.VERIFIED, done=100, size=100),
    ]
    show(steps, transfers)
    last = [line for line in capsys.readouterr().err.split("\r") if line.strip().startswith("total")][-1]
    assert " 75%" in last


def test_tables() -> None:
    """Columns are aligned by what a terminal shows; a line break in a cell stays on its line."""
    lines = render_table(("A", "B"), [("墨", "x\ny"), ("ab", "z")], width=None)
    assert lines == ["A   B", "墨  x y", "ab  z"]
    folded = render_table(("A", "B", "C"), [("a", "b" * 30, "c"), ("a", "", "c")], width=20, below=1)
    assert folded == ["A  C", "a  c", "   bbbbbbbb…bbbbbbbb", "a  c"]


@pytest.mark.parametrize("size", range(2, 40))
def test_shorten(size: int) -> None:
    """Never wider than asked, whatever the letters."""
    assert columns(shorten("墨水-flux1-dev-fp8.safetensors", size)) <= size


def test_amounts() -> None:
    """Powers of 1000, as drives and hubs count."""
    assert [format_size(n) for n in (None, 0, 6_938_078_334, 2 * 10**15)] == [
        "?",
        "0 B",
        "6.94 GB",
        "2e+03 TB",
    ]


def test_short_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below here, below home, or whole."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    places = (tmp_path / "here" / "a", tmp_path / "b", Path("/usr/c"), tmp_path / "here")
    assert [short_path(str(place)) for place in places] == ["a", "~/b", "/usr/c", "."]


@pytest.mark.parametrize(
    ("hub", "page"),
    [
        ("civitai", "https://civitai.com/models/1"),
        ("huggingface", "https://huggingface.co/a/b"),
        ("web", None),
    ],
)
def test_pages(hub: str, page: str | None) -> None:
    """Where to ask for a file: on Hugging Face the repository."""
    shown = f"{page}/blob/1/x.sft" if hub == "huggingface" else page
    assert page_of(RemoteFile(hub=hub, name="x.sft", url="", page=shown)) == page


def present(placement: Placement) -> Present:
    wanted = Reference(node_id="1", node_type="L", input_name="n", folder="loras", name="a.sft")
    folder = "vae" if placement is Placement.FOLDER else "loras"
    found = LocalFile(folder=folder, path="sub/a.sft", root="/m", size=1, mtime_ns=0)
    return Present(wanted, found, placement)


@pytest.mark.parametrize(
    ("placement", "words"),
    [
        (Placement.EXACT, "/m"),
        (Placement.SPELLING, "choose sub/a.sft in the node"),
        (Placement.SUBFOLDER, "choose sub/a.sft in the node"),
        (Placement.FOLDER, "move it out of vae"),
    ],
)
def test_files_that_lie_elsewhere(placement: Placement, words: str) -> None:
    """The table says where a file is and what makes ComfyUI see it."""
    resolution = present(placement)
    survey = Survey(references=(resolution.reference,), self_fetched=(resolution.reference,))
    report = Report(path="/w.json", survey=survey, resolutions=(resolution,))
    told = "\n".join(render_answer(Answer(reports=(report,)), None, width=None, notes=True))
    assert words in told
    assert "fetched by their own nodes: a.sft" in told


def test_nothing_to_tell() -> None:
    """An empty workflow, plan, listing."""
    told = list(render_answer(Answer(reports=(Report(path="/w.json"),)), None, width=None, notes=True))
    assert told == ["/w.json", "  names no model files", ""]
    assert render_plan(Plan()) == "nothing to do"
    assert list(render_listing(Listing(models=()), width=None)) == ["Nothing found."]


def test_description_of_bare_facts() -> None:
    """What is not known is left out."""
    bare = RemoteFile(hub="web", name="a.sft", url="https://example.org/a.sft")
    local = LocalFile(
        folder="", path="a.sft", root="/m", size=1, mtime_ns=0, digests=(Digest("sha256", "a" * 64),)
    )
    examined = Examination(file=local, inside=Inside(format="other"), beside=Beside())
    description = Description(subject="x", examined=examined, files=(bare, bare))
    told = list(render_description(description, asked=True))
    assert told.count("") == 2
    assert not [line for line in told if line.startswith("AIR")]


def test_words_of_every_consent(desk: Desk) -> None:
    """The last column and the notes say what each kind of file needs."""
    desk.hub.add_repo("Comfy-Org/old", {"old.pt": b"\x80\x02}q\x00." + bytes(99)})
    flow = desk.workflow(
        desk.vae("old.pt", url=f"{HF}/Comfy-Org/old/resolve/main/old.pt"),
        desk.vae("here.sft", url="http://models.example.org/here.sft"),
        desk.vae("deep/../../x.sft", url="https://models.example.org/x.sft"),
        desk.vae("packed.zip", url="https://models.example.org/packed.zip"),
    )
    told = desk.run("resolve", flow).out
    assert list(lines_with(told, "old.pt", "found", "decide"))
    assert "here.sft: plain http from models.example.org" in told
    ended = desk.run("fetch", flow, "--yes").out
    assert "answer yes in a terminal, if you trust http://models.example.org/here.sft" in ended


def test_fault_beside_a_table(desk: Desk) -> None:
    """What kept a hub from answering stands on stderr beside the table of resolve."""
    flow = stock(desk)
    desk.hub.bend("civitai", faults.status(500))
    ran = desk.run("resolve", flow)
    assert (ran.status, "[hub-unavailable]" in ran.err, "lamp.safetensors" in ran.out) == (3, True, True)
