"""Which example image stands for a version, as CivitAI's records of all years tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakehub.server import FakeHub

from comfywatchman.air import CivitaiLink
from comfywatchman.catalog import Preview, RemoteFile
from comfywatchman.decode import Value, parse_json
from comfywatchman.demo.pictures import seascape
from comfywatchman.demo.shelf import ServedImage
from comfywatchman.hubs.answers import Answers
from comfywatchman.hubs.civitai import Civitai
from comfywatchman.hubs.civitai.images import IMAGE_HOSTS, preview_of, trimmed_images
from comfywatchman.hubs.session import Session

SITE = "https://image.civitai.com/xG1/2b"
ONE = f"{SITE}/width=450/1.jpeg"


def image(url: str = ONE, **more: Any) -> dict[str, Any]:
    return {"url": url, "nsfwLevel": 1, "type": "image", **more}


@pytest.mark.parametrize(
    ("images", "preview"),
    [
        ([image()], (ONE, 1)),
        ([image(f"{SITE}/original=true/1.jpeg")], (ONE, 1)),
        ([image(f"{SITE}/width=1200/1.jpeg")], (ONE, 1)),
        ([image(f"{SITE}/anim=false,width=450/1.jpeg")], (f"{SITE}/anim=false,width=450/1.jpeg", 1)),
        (
            [image("https://image.civitai.com/width=1/x/1.jpeg")],
            ("https://image.civitai.com/width=1/x/1.jpeg", 1),
        ),
        ([image("a", nsfwLevel=4), image("b", nsfwLevel=2), image("c", nsfwLevel=2)], ("b", 2)),
        ([image("a", type="video"), image("b", nsfwLevel=16)], ("b", 16)),
        ([image("a", nsfwLevel=32), image("b", nsfwLevel=63)], None),
        ([image("a", nsfwLevel=0)], ("a", 16)),
        ([image("a", nsfwLevel=3)], ("a", 16)),
        ([image("a", nsfwLevel=-1)], ("a", 16)),
        ([image("a", nsfwLevel="1")], ("a", 16)),
        ([image("a", nsfwLevel=True)], ("a", 16)),
        ([{"url": "a", "nsfw": "None"}], ("a", 1)),
        ([{"url": "a", "nsfw": "Soft"}], ("a", 2)),
        ([{"url": "a", "nsfw": "Mature"}], ("a", 4)),
        ([{"url": "a", "nsfw": "X"}], ("a", 8)),
        ([{"url": "a", "nsfw": False}], ("a", 16)),
        ([{"url": "a"}], ("a", 16)),
        ([image("a" * 1001), image("", nsfwLevel=1)], None),
        ([None, 1, "x", [], {}, {"url": None}, {"url": ["a"]}], None),
        ([], None),
        (None, None),
        ("images", None),
        ({"0": image()}, None),
    ],
)
def test_preview(images: Any, preview: tuple[str, int] | None) -> None:
    """The tamest image that is neither blocked nor a film, in a small form; no level is the highest."""
    found = preview_of(Value({"images": images}))
    assert found == (Preview(url=preview[0], level=preview[1]) if preview else None)
    assert preview_of(Value({"images": trimmed_images(images)})) == found


def test_recorded(shared_data: Path) -> None:
    """In every recorded answer versions with still images have one to show, on the site's own hosts."""
    count = 0
    for path in (shared_data / "hubs" / "civitai").rglob("*.json"):
        for images in lists_of_images(parse_json(path.read_bytes(), limit=200 << 20)):
            stills = [
                one for one in images if isinstance(one, dict) and one.get("type") != "video" and "url" in one
            ]
            found = preview_of(Value({"images": images}))
            assert bool(stills) == bool(found), path
            if found:
                assert found.url.split("/")[2] in IMAGE_HOSTS
                assert "/width=450/" in found.url
                count += 1
    assert count > 50


def lists_of_images(json: Any) -> list[list[Any]]:
    if isinstance(json, list):
        return [found for item in json for found in lists_of_images(item)]
    if not isinstance(json, dict):
        return []
    own = [json["images"]] if isinstance(json.get("images"), list) else []
    return own + [found for value in json.values() for found in lists_of_images(value)]


def test_files_have_it(fakehub: FakeHub, tmp_path: Path) -> None:
    """Every file of a version has its picture, by link, digest and name, and from the kept answers too."""
    still = ServedImage(id=7, data=seascape("ink"), nsfw_level=2)
    made = fakehub.add_model("Ink Wash", {"ink.safetensors": b"ink" * 999}, version={"images": (still,)})
    version = made.versions[0]
    expected = Preview(url=f"{fakehub.civitai_endpoint}/images/7/width=450/7.png", level=2)
    with Session() as session, Answers(tmp_path / "answers.sqlite3") as answers:
        hub = Civitai(session, endpoint=fakehub.civitai_endpoint, token=lambda: None, answers=answers)
        for _ in range(2):
            (by_link,) = hub.open(CivitaiLink(version_id=version.id))
            (by_model,) = hub.open(CivitaiLink(model_id=made.id, version_id=version.id))
            (by_digest,) = hub.files_by_sha256([version.files[0].blob.sha256]).values()
            offers = hub.search_files("ink wash")
            found = [by_link, by_model, *by_digest, *(offer.file for offer in offers)]
            assert [file.preview for file in found] == [expected] * 4
        record = hub.record(by_link)
    assert isinstance(record, dict)
    assert "images" not in record


def test_for_people_only() -> None:
    """A picture makes no other file of it, and no document has it."""
    bare = RemoteFile(hub="civitai", name="a.safetensors", url="https://civitai.com/api/download/models/1")
    shown = RemoteFile(hub=bare.hub, name=bare.name, url=bare.url, preview=Preview(url=ONE, level=1))
    assert shown == bare
    assert hash(shown) == hash(bare)
    assert shown.to_dict() == bare.to_dict()
