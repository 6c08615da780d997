"""A model in a few words, out of what its sidecars, its header, the index and its hub say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from comfywatchman.catalog import LocalFile, RemoteFile
from comfywatchman.digest import Digest
from comfywatchman.facts import Facts
from comfywatchman.library.examination import Examination, Inside
from comfywatchman.library.origin import Origin
from comfywatchman.library.sidecars.beside import Beside, Sidecar
from comfywatchman.report import Description
from comfywatchman.summary import Summary, summarize

SHA = Digest("sha256", "a" * 64)
FILE = LocalFile(folder="loras", path="style/ink.sft", root="/m", size=1, mtime_ns=1, digests=(SHA,))
HEADER = Facts(base_model="sdxl_base_v1-0", trigger_words=("from header",), model_name="ink-v2")
HUB = RemoteFile(
    hub="civitai", name="ink.sft", url="https://c/1", page="https://c/models/1", base_model="Pony",
    trigger_words=("from hub",), model_name="Ink", version_name="v2", licence="sell",
)  # fmt: skip
ORIGIN = Origin(
    hub="civitai", model_name="Ink Wash", base_model="SDXL 1.0", page="https://c/models/2", weight=0.8
)


def described(*sidecars: Facts, header: Facts = HEADER, hub: RemoteFile | None = None) -> Description:
    beside = Beside(
        sidecars=tuple(
            Sidecar(name=f"{n}.json", dialect="test", facts=facts) for n, facts in enumerate(sidecars)
        ),
        preview="ink.preview.png",
    )
    inside = Inside(format="safetensors", facts=header)
    examined = Examination(file=FILE, inside=inside, beside=beside)
    return Description(subject="ink", examined=examined, files=(hub,) if hub else ())


def test_nearest_statement_counts() -> None:
    """The user's sidecar, then the index, then the hub, then the header."""
    summary = summarize(described(Facts(weight=0.5, notes="mine"), hub=HUB), ORIGIN)
    assert (summary.name, summary.title) == ("ink.sft", "Ink Wash · v2")
    assert (summary.weight, summary.licence, summary.page) == (0.5, "sell", "https://c/models/2")
    assert summary.base_models == ("SDXL 1.0", "Pony", "sdxl_base_v1-0")
    assert summary.preview == Path("/m/style/ink.preview.png")
    assert summary.advice == "weight: 0.5\nmine"


def test_words() -> None:
    """The user's own, the sidecars', the header's, the index' and the hub's, in this order."""
    own, sidecar = Facts(own_words=("own",)), Facts(trigger_words=("beside",))
    origin = replace(ORIGIN, trigger_words=("from index", "FROM hub"))
    silent = replace(HEADER, trigger_words=())
    assert summarize(described(sidecar, own, hub=HUB), origin).words == ("own",)
    assert summarize(described(sidecar, hub=HUB), origin).words == ("beside",)
    assert summarize(described(hub=HUB), origin).words == ("from header",)
    assert summarize(described(header=silent, hub=HUB), origin).words == ("from index", "FROM hub")
    assert summarize(described(header=silent, hub=HUB)).words == ("from hub",)


def test_sidecar_of_another_file() -> None:
    """What a sidecar says of other bytes is not said of these."""
    other = Facts(trigger_words=("other",), digests=(Digest("sha256", "b" * 64),))
    assert summarize(described(other)).words == ("from header",)


def test_what_is_not_here() -> None:
    """A hub's record alone, and nothing at all."""
    summary = summarize(Description(subject="v:1", files=(HUB,)))
    assert (summary.name, summary.words, summary.preview) == ("ink.sft", ("from hub",), None)
    empty = summarize(Description(subject="v:1"))
    assert (empty, str(empty), empty.base_model, empty.advice) == (Summary(name="v:1"), "v:1", None, "")


def test_text() -> None:
    """A few lines for people, without what nobody said."""
    summary = Summary(name="a.sft", model_name="A", words=("x", "y"), weight_min=0.5, weight_max=1)
    assert str(summary) == "A\nfile: a.sft\ntrigger words: x, y\nweight range: 0.5 to 1"
