"""AIRs, links and short forms: how people point at a model."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comfywatchman.air import (
    CIVITAI_HOSTS,
    HUGGINGFACE_HOSTS,
    Air,
    CivitaiLink,
    HubLink,
    HuggingFaceLink,
    clean_url,
    hub_of,
    link_of_air,
    parse_air,
    parse_link,
    parse_thing,
)
from comfywatchman.errors import InvalidAir

HF = "https://huggingface.co"
MAX_ID = 2**31 - 1

words = st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True)
ids = st.integers(1, MAX_ID)
airs = st.builds(
    Air,
    ecosystem=words,
    type=words,
    source=words,
    id=st.from_regex(r"[A-Za-z0-9_-]{1,9}(/[A-Za-z0-9_-]{1,9}){0,2}", fullmatch=True),
    version=st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,12}(\.[0-9]{1,3})?", fullmatch=True),
    file=st.none() | st.integers(0, MAX_ID),
    format=st.none() | st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True),
)
whole_text = st.characters(exclude_categories=["Cs"], exclude_characters="/")
civitai_links = st.one_of(
    st.builds(CivitaiLink, model_id=ids, version_id=st.none() | ids, file_id=st.none() | ids),
    st.builds(CivitaiLink, version_id=ids, file_id=st.none() | ids),
)
names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,11}", fullmatch=True)
steps = st.text(whole_text, min_size=1, max_size=12).filter(lambda step: step not in (".", ".."))
paths = st.lists(steps, min_size=1, max_size=4).map("/".join)
huggingface_links = st.builds(
    HuggingFaceLink,
    repo=st.builds("own-{}/{}".format, names, names),
    revision=st.just("main") | steps | st.builds("refs/pr/{}".format, ids),
    path=st.none() | paths | paths.map(lambda path: f"{path}/"),
)


# ── laws ──


@given(airs)
def test_air_print_and_parse(air: Air) -> None:
    """What an AIR prints reads back the same, in any case where case means nothing."""
    assert parse_air(str(air)) == air
    assert parse_air(str(air).removeprefix("urn:")) == air


@given(st.from_regex(r"(urn:)?air:[\w.-]+:[\w-]+:[\w-]+:[\w./@+-]+", fullmatch=True) | st.text())
@example("air:a:b:c:d+" + "9" * 5000)
@example("air:a:b:c:d+\u0661")
@example("air:a:b:huggingface:o/r@v1.0.safetensors")
def test_air_of_any_text(text: str) -> None:
    """Any text is refused or means something stable."""
    try:
        air = parse_air(text)
    except InvalidAir:
        return
    assert parse_air(str(air)) == air


@given(civitai_links | huggingface_links)
@example(HuggingFaceLink(repo="o/r", revision="dev"))
@example(CivitaiLink(model_id=3, version_id=5, file_id=7))
@example(HuggingFaceLink(repo="gpt2", path="model.safetensors"))
def test_link_print_and_parse(link: HubLink) -> None:
    """What a link prints reads back the same, as a link and as a thing."""
    assert parse_link(str(link)) == link
    assert parse_thing(str(link)) == link


hosts = st.sampled_from(sorted(CIVITAI_HOSTS | HUGGINGFACE_HOSTS))
hostile_steps = st.text(max_size=8) | st.sampled_from(
    [
        "resolve",
        "blob",
        "raw",
        "tree",
        "main",
        "refs",
        "models",
        "api",
        "v1",
        "download",
        "model-versions",
        "5",
        "%2F",
        "%2E%2E",
        "..",
        "%00",
        "%ED%A0%80",
        "\ud800",
    ]
)


@given(
    st.builds(lambda host, steps: f"https://{host}/{'/'.join(steps)}", hosts, st.lists(hostile_steps))
    | st.text()
)
def test_link_of_any_text(text: str) -> None:
    """Any address is no hub's or means something stable; any text typed is refused or means it, too."""
    link = parse_link(text)
    if link is not None:
        assert parse_link(str(link)) == link
        assert ".." not in str(link).split("/")
    try:
        thing = parse_thing(text)
    except InvalidAir:
        return
    assert parse_thing(str(thing)) == thing


# ── AIR ──


@pytest.mark.parametrize(
    ("text", "air"),
    [
        (
            "urn:air:sdxl:lora:civitai:328553@368189+4211.safetensors",
            Air(
                ecosystem="sdxl",
                type="lora",
                source="civitai",
                id="328553",
                version="368189",
                file=4211,
                format="safetensors",
            ),
        ),
        (
            " AIR:Flux1:Checkpoint:CivitAI:618692@691639 ",
            Air(ecosystem="flux1", type="checkpoint", source="civitai", id="618692", version="691639"),
        ),
        ("air:sd1:vae:civitai:5", Air(ecosystem="sd1", type="vae", source="civitai", id="5")),
        (
            "urn:air:sdxl:checkpoint:huggingface:stabilityai/sdxl-vae@v1.0.safetensors",
            Air(
                ecosystem="sdxl",
                type="checkpoint",
                source="huggingface",
                id="stabilityai/sdxl-vae",
                version="v1.0",
                format="safetensors",
            ),
        ),
    ],
)
def test_air(text: str, air: Air) -> None:
    """AIRs as they are met, `urn:` and case optional."""
    assert parse_air(text) == air


@pytest.mark.parametrize(
    "text",
    [
        "",
        "urn:air:",
        "urn:air:sdxl:lora:civitai",
        "urn:air:sdxl:lora:civitai:",
        "urn:air:sdxl:lora:civitai:1@",
        "urn:air:sdxl:lora:civitai:1@2+x",
        "urn:air:sdxl:lora:civitai:1 2",
        "urn:urn:air:a:b:c:1",
        "x urn:air:a:b:c:1",
        "urn:air:a:b:c:1\nx",
        "urn:air:a:b:c:1+" + "9" * 11,
    ],
)
def test_no_air(text: str) -> None:
    """What does not follow the grammar is refused."""
    with pytest.raises(InvalidAir):
        parse_air(text)


# ── links ──

FILE = HuggingFaceLink(repo="o/r", path="s/a b.safetensors")

LINKS = [
    # CivitAI: pages, API and downloads under all its names
    ("https://civitai.com/models/328553", CivitaiLink(model_id=328553)),
    ("https://civitai.com/models/328553/", CivitaiLink(model_id=328553)),
    ("https://civitai.com/models/328553/some-name", CivitaiLink(model_id=328553)),
    ("https://civitai.com/models/3/n?modelVersionId=5", CivitaiLink(model_id=3, version_id=5)),
    ("https://civitai.com/models/3?foo=1&modelversionid=5#x", CivitaiLink(model_id=3, version_id=5)),
    ("https://civitai.com/models/3?modelVersionId=x", CivitaiLink(model_id=3)),
    ("https://www.civitai.com/models/3", CivitaiLink(model_id=3)),
    ("https://civitai.red/models/3", CivitaiLink(model_id=3)),
    ("https://www.civitai.red/models/3", CivitaiLink(model_id=3)),
    ("https://civitai.green/models/3", CivitaiLink(model_id=3)),
    ("http://CivitAI.com/models/3", CivitaiLink(model_id=3)),
    ("https://civitai.com/model-versions/5", CivitaiLink(version_id=5)),
    ("https://civitai.com/api/v1/models/3", CivitaiLink(model_id=3)),
    ("https://civitai.com/api/v1/model-versions/5", CivitaiLink(version_id=5)),
    ("https://civitai.com/api/download/models/5", CivitaiLink(version_id=5)),
    ("https://civitai.com/api/download/models/5?type=Model&format=SafeTensor", CivitaiLink(version_id=5)),
    ("https://civitai.com/api/download/models/5?fileId=7&token=secret", CivitaiLink(version_id=5, file_id=7)),
    ("https://civitai.com/models/2147483647", CivitaiLink(model_id=MAX_ID)),
    ("https://civitai.com/models/2147483648", None),
    ("https://civitai.com/models/0", None),
    ("https://civitai.com/models/\u0661", None),
    ("https://civitai.com/models/abc", None),
    ("https://civitai.com/models", None),
    ("https://civitai.com/images/3", None),
    ("https://civitai.com/user/someone", None),
    ("https://civitai.com/api/v1/model-versions/by-hash/ABCDEF1234", None),
    ("https://civitai.com", None),
    # Hugging Face: files
    (f"{HF}/o/r/resolve/main/s/a%20b.safetensors", FILE),
    (f"{HF}/o/r/resolve/main/s/a%20b.safetensors?download=true", FILE),
    (f"{HF}/o/r/blob/main/s/a b.safetensors", FILE),
    (f"{HF}/o/r/raw/main/s//a%20b.safetensors", FILE),
    ("https://hf.co/o/r/resolve/main/s/a%20b.safetensors", FILE),
    ("https://www.huggingface.co/o/r/resolve/main/s/a%20b.safetensors", FILE),
    (" https://huggingface.co/o/r/resolve/main/s/a%20b.safetensors\n", FILE),
    (f"{HF}/o/r/resolve/refs%2Fpr%2F1/a.pt", HuggingFaceLink(repo="o/r", revision="refs/pr/1", path="a.pt")),
    (f"{HF}/o/r/blob/refs/pr/1/s/a.pt", HuggingFaceLink(repo="o/r", revision="refs/pr/1", path="s/a.pt")),
    (f"{HF}/o/r/blob/refs/heads/a.pt", HuggingFaceLink(repo="o/r", revision="refs", path="heads/a.pt")),
    (f"{HF}/gpt2/resolve/main/model.safetensors", HuggingFaceLink(repo="gpt2", path="model.safetensors")),
    # repositories and folders
    (f"{HF}/o/r", HuggingFaceLink(repo="o/r")),
    (f"{HF}/o/r/", HuggingFaceLink(repo="o/r")),
    (f"{HF}/o/r/tree/main", HuggingFaceLink(repo="o/r")),
    (f"{HF}/o/r/tree/dev/s", HuggingFaceLink(repo="o/r", revision="dev", path="s/")),
    # no model
    (f"{HF}/o", None),
    (HF, None),
    (f"{HF}/o/r/resolve", None),
    (f"{HF}/o/r/resolve/main", None),
    (f"{HF}/o/r/discussions/3", None),
    (f"{HF}/o/r/resolve/main/../../../x/y", None),
    (f"{HF}/o/r/resolve/main/s/%2E%2E/a.pt", None),
    (f"{HF}/o/r/resolve/../a.pt", None),
    (f"{HF}/o%2F..%2Fx/r", None),
    (f"{HF}/o/r%3Fx", None),
    (f"{HF}/o/{'r' * 97}", None),
    (f"{HF}/datasets/o/r/resolve/main/a.pt", None),
    (f"{HF}/spaces/o/r", None),
    (f"{HF}/api/models/o/r", None),
    (f"{HF}/blog/flux", None),
    (f"{HF}/settings/tokens", None),
    (f"{HF}/o/r/resolve/main/\ud800.pt", None),
    # no hub
    ("https://huggingface.co@example.org/o/r", None),
    ("https://huggingface.co.example.org/o/r", None),
    ("https://example.org/huggingface.co/o/r", None),
    ("https://civitai.com.example.org/models/3", None),
    ("ftp://civitai.com/models/3", None),
    ("javascript://civitai.com/models/3", None),
    ("//civitai.com/models/3", None),
    ("http://[", None),
    ("http://[::1", None),
    ("", None),
]


@pytest.mark.parametrize(("url", "link"), LINKS)
def test_link(url: str, link: HubLink | None) -> None:
    """Every spelling people paste, and addresses that only look like it."""
    assert parse_link(url) == link


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("929497", CivitaiLink(model_id=929497)),
        (" V:2247497 ", CivitaiLink(version_id=2247497)),
        ("civitai.com/models/3?modelVersionId=5", CivitaiLink(model_id=3, version_id=5)),
        ("www.huggingface.co/o/r", HuggingFaceLink(repo="o/r")),
        ("hf:o/r", HuggingFaceLink(repo="o/r")),
        ("hf:o/r/", HuggingFaceLink(repo="o/r")),
        ("HF:/o/r/s/a b.safetensors", FILE),
        ("hf:o/r/s/", HuggingFaceLink(repo="o/r", path="s/")),
        ("hf:o/r@dev/a.pt", HuggingFaceLink(repo="o/r", revision="dev", path="a.pt")),
        ("hf:o/r@/a.pt", HuggingFaceLink(repo="o/r", path="a.pt")),
        ("hf:o/r/a.pt?download=true&token=s", HuggingFaceLink(repo="o/r", path="a.pt")),
        ("urn:air:sdxl:lora:civitai:3@5", CivitaiLink(model_id=3, version_id=5)),
        ("urn:air:sdxl:lora:civitai:3", CivitaiLink(model_id=3)),
        ("Air:sdxl:lora:civitai:3@5+7.safetensors", CivitaiLink(model_id=3, version_id=5, file_id=7)),
        ("urn:air:sdxl:vae:huggingface:o/r@dev", HuggingFaceLink(repo="o/r", revision="dev")),
        ("air:sdxl:vae:huggingface:o/r/s/a@dev", HuggingFaceLink(repo="o/r", revision="dev", path="s/a")),
    ],
)
def test_thing(text: str, link: HubLink) -> None:
    """What a person types for a model."""
    assert parse_thing(text) == link


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-1",
        "2147483648",
        "v:",
        "v:x",
        "v:0",
        "hf:",
        "hf:o",
        "hf:o/",
        "hf:/r",
        "hf:o/r/../x",
        "hf:o/r//x",
        "hf:o/r/\ud800",
        "hf:o/r@\ud800/x",
        "hf:spaces/r",
        "x:1",
        "o/r",
        "example.org/a.pt",
        "https://example.org/a.pt",
        "https://civitai.com/images/3",
        "urn:air:a:b:civitai:x@1",
        "urn:air:a:b:civitai:1@x",
        "urn:air:a:b:elsewhere:1",
        "urn:air:a:b:huggingface:gpt2",
        "urn:air:a:b:huggingface:o/r/../x",
        "urn:air:",
    ],
)
def test_no_thing(text: str) -> None:
    """What means no model is an error with a hint, never a guess."""
    with pytest.raises(InvalidAir) as fault:
        parse_thing(text)
    assert fault.value.hint


def test_link_of_air_says_which_hubs() -> None:
    """An AIR of a hub unknown here names those that are known."""
    with pytest.raises(InvalidAir, match="cannot look up") as fault:
        link_of_air(Air(ecosystem="sdxl", type="lora", source="elsewhere", id="1"))
    assert "civitai, huggingface" in fault.value.hint


def test_links_guard_themselves() -> None:
    """A link that points at nothing cannot be made."""
    with pytest.raises(InvalidAir):
        CivitaiLink(file_id=7)
    with pytest.raises(InvalidAir):
        HuggingFaceLink(repo="o/r", path="")


def test_hub_of() -> None:
    """The word of each hub."""
    assert (hub_of(CivitaiLink(model_id=3)), hub_of(FILE)) == ("civitai", "huggingface")


def test_printed_addresses() -> None:
    """A page where the model is known, else a download; a file's address answers with bytes."""
    printed = [
        (CivitaiLink(model_id=3), "https://civitai.com/models/3"),
        (CivitaiLink(model_id=3, version_id=5), "https://civitai.com/models/3?modelVersionId=5"),
        (
            CivitaiLink(model_id=3, version_id=5, file_id=7),
            "https://civitai.com/models/3?modelVersionId=5&fileId=7",
        ),
        (CivitaiLink(version_id=5), "https://civitai.com/api/download/models/5"),
        (CivitaiLink(version_id=5, file_id=7), "https://civitai.com/api/download/models/5?fileId=7"),
        (FILE, f"{HF}/o/r/resolve/main/s/a%20b.safetensors"),
        (HuggingFaceLink(repo="o/r", path="s/"), f"{HF}/o/r/tree/main/s"),
    ]
    assert [str(link) for link, _ in printed] == [text for _, text in printed]
    assert all(re.fullmatch(r"[!-~]+", text) for _, text in printed)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://h/x?a=1&token=s&b=2", "https://h/x?a=1&b=2"),
        ("https://h/x?api_key=s", "https://h/x"),
        ("https://h/x?TOKEN=s#token=s", "https://h/x"),
        ("https://h/x?a=1&amp;token=s", "https://h/x?a=1"),
        ("https://me:secret@h/x", None),
        ("https://h/x?tokens=3&monkey=1", "https://h/x?tokens=3&monkey=1"),
        (" https://h/x ", "https://h/x"),
        ("https://[::1/m", None),
        ("https://h:99999/m", None),
        ("https://h:port/m", None),
        ("", None),
    ],
)
def test_clean_url(given: str, kept: str | None) -> None:
    """Tokens in a query are left out; what cannot be read is none; cleaning twice changes nothing."""
    assert clean_url(given) == kept
    assert kept is None or clean_url(kept) == kept
