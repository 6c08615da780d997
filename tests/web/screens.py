"""The states of the panel, each driven as a person comes to it, for the pictures of docs/reference/screens.md

    page = SCREENS["certain"].drive(stage)      # waits until that state stands
    shoot(page, SCREENS["certain"], folder)     # dark and light, at 1280 and 1920

The hub's big files are `Vast`: bytes that say they are more than they are. Only what arrives is really sent.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fakehub import faults
from fakehub.server import FakeHub, blob_of
from PIL import Image
from playwright.sync_api import FloatRect, Page, expect
from webstage import HostPage, Stage
from webworkflows import Saved, graph, node

from comfywatchman.demo import models
from comfywatchman.demo.pictures import seascape
from comfywatchman.demo.shelf import PaidAccess, ServedFile, ServedImage
from comfywatchman.settings import set_setting

GB: Final = 1_000_000_000
MB: Final = 1_000_000
THEMES: Final = ("dark", "light")
SIZES: Final = {1280: 800, 1920: 1080}
CANVAS: Final = 310  # what is shown of the canvas beside the panel, in pixels
HF: Final = "https://huggingface.co"


class Vast(bytes):
    """Bytes that say to be more: a hub announces gigabytes, and nobody has to keep them."""

    size: int

    def __len__(self) -> int:
        return self.size


def vast(seed: str, size: float) -> bytes:
    """A checkpoint that is announced with that size, in bytes."""
    made = Vast(models.checkpoint(seed))
    made.size = int(size)
    return made


def weights(seed: str, size: float) -> bytes:
    """A LoRA that is as large as it says, in bytes."""
    return models.safetensors({"lora_unet.up.weight": (int(size) // 128, 64)}, seed=seed)


# ── what the workflows name ──

CHECKPOINT: Final = "harborXL_v9_lightning.safetensors"
LORA: Final = "ink_wash_style_xl_v2.safetensors"
VAE: Final = "lamp_vae_fp16.safetensors"


def load_checkpoint(name: str = CHECKPOINT, **more: Any) -> Saved:
    """A checkpoint loader."""
    return node("CheckpointLoaderSimple", name, **more)


def load_lora(name: str = LORA, **more: Any) -> Saved:
    """A LoRA loader."""
    return node("LoraLoader", name, 0.8, 0.8, **more)


def load_vae(name: str = VAE, **more: Any) -> Saved:
    """A VAE loader."""
    return node("VAELoader", name, **more)


def certain_three() -> Saved:
    """A workflow that says where its three models are."""
    return graph(
        load_checkpoint(url=f"{HF}/Comfy-Org/harbor/resolve/main/{CHECKPOINT}", folder="checkpoints"),
        load_lora(url=f"{HF}/Comfy-Org/ink/resolve/main/{LORA}", folder="loras"),
        load_vae(url=f"{HF}/Comfy-Org/lamp/resolve/main/{VAE}", folder="vae"),
    )


def stock_vast(hub: FakeHub) -> None:
    """The three, in their real sizes."""
    hub.add_repo("Comfy-Org/harbor", {CHECKPOINT: vast("harbor", 6.94 * GB)})
    hub.add_repo("Comfy-Org/ink", {LORA: vast("ink", 228 * MB)})
    hub.add_repo("Comfy-Org/lamp", {VAE: vast("lamp", 335 * MB)})


def stock_small(hub: FakeHub) -> None:
    """The three, small enough to be sent."""
    hub.add_repo("Comfy-Org/harbor", {CHECKPOINT: models.checkpoint("harbor")})
    hub.add_repo("Comfy-Org/ink", {LORA: models.lora("ink", trigger="ink wash")})
    hub.add_repo("Comfy-Org/lamp", {VAE: models.vae("lamp")})


def opened(stage: Stage, workflow: Mapping[str, Any], *, name: str = "portrait.json") -> HostPage:
    """A page with a workflow and our panel beside it."""
    page = stage.open()
    page.drop(workflow, name=name)
    page.show()
    return page


# ── the list of what is missing ──


def empty(stage: Stage) -> HostPage:
    """Nothing is open that names a model."""
    page = stage.open()
    page.show()
    expect(page.panel.get_by_text("This workflow names no models.")).to_be_visible()
    return page


def checking(stage: Stage) -> HostPage:
    """What the workflow links to is known; CivitAI has not answered."""
    stock_vast(stage.hub)
    stage.hub.bend("civitai", faults.slow(20))
    workflow = certain_three()
    workflow["nodes"].append(graph(load_lora("paper_cut_v3.safetensors"))["nodes"][0] | {"id": 9})
    page = opened(stage, workflow)
    expect(page.panel.get_by_text(re.compile("Asking .*CivitAI"))).to_be_visible()
    expect(page.panel.get_by_text("Certain · 3")).to_be_visible()
    return page


def everything_here(stage: Stage) -> HostPage:
    """All that the workflow names lies here."""
    stage.put(f"checkpoints/{CHECKPOINT}", models.checkpoint("harbor"))
    stage.put(f"vae/{VAE}", models.vae("lamp"))
    page = opened(stage, graph(load_checkpoint(), load_vae()))
    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    return page


def certain(stage: Stage) -> HostPage:
    """Three models are missing, and where each of them is is certain."""
    stock_vast(stage.hub)
    page = opened(stage, certain_three())
    expect(page.panel.get_by_role("button", name="Fetch 3 models · 7.5 GB")).to_be_enabled()
    return page


def first_question(stage: Stage) -> HostPage:
    """The first fetch asks whether what is certain may come by itself from now on."""
    page = certain(stage)
    page.fetch.click()
    expect(page.panel.get_by_role("button", name="Yes, fetch by itself")).to_be_visible()
    return page


def choice(stage: Stage) -> HostPage:
    """Three files have the name; one of them is chosen."""
    painters = (
        ("Ink Wash XL", "ann", 228, "1"),
        ("Ink & Wash by Bob", "bob", 151, "ink"),
        ("Inkling", "cy", 37, "sea"),
    )
    for number, (name, creator, size, seed) in enumerate(painters):
        images = (ServedImage(id=50 + number, data=seascape(seed)),)
        version = {"images": images, "downloads": 48_200 >> (2 * number), "name": f"v{number + 1}.0"}
        stage.hub.add_model(name, {LORA: vast(seed, size * MB)}, creator=creator, version=version)
    page = opened(stage, graph(load_lora()))
    page.item(LORA).get_by_role("button", name="Choose from 3").click()
    for picture in reversed(page.panel.locator("wm-choices img").all()):
        picture.scroll_into_view_if_needed()  # they come once they are seen
        expect(picture).to_have_js_property("naturalWidth", 104)
    page.panel.get_by_role("radio", name=re.compile("Ink Wash XL")).click()
    page.panel.locator(".scroll").evaluate("(one) => one.scrollTo(0, 0)")
    expect(page.fetches).to_have_count(1)
    return page


def gated(stage: Stage) -> HostPage:
    """The owner of one file wants terms accepted; the field for the token stands open."""
    stage.hub.add_repo(
        "northlight/harbor-large", {"harbor_large.safetensors": vast("large", 16.5 * GB)}, gated="manual"
    )
    url = f"{HF}/northlight/harbor-large/resolve/main/harbor_large.safetensors"
    page = opened(stage, graph(load_checkpoint("harbor_large.safetensors", url=url, folder="checkpoints")))
    expect(page.panel.get_by_text("Its owner asks you to accept terms first")).to_be_visible()
    page.panel.get_by_role("button", name="Set the Hugging Face token").click()
    expect(page.panel.get_by_label("New token for Hugging Face")).to_be_visible()
    return page


def login(stage: Stage) -> HostPage:
    """CivitAI gives the file to those who are signed in, and says so when it is asked for."""
    made = stage.hub.add_model(
        "Members’ Ink", {LORA: models.lora("ink", trigger="ink wash")}, version={"needs_login": True}
    )
    url = f"https://civitai.com/api/download/models/{made.versions[0].id}"
    page = opened(stage, graph(load_lora(url=url, folder="loras")))
    page.fetches.click()
    page.answer_first()
    transfers(page)
    expect(page.panel.get_by_role("button", name=re.compile("^Try again"))).to_be_visible(timeout=20_000)
    return page


def early_access(stage: Stage) -> HostPage:
    """One file is sold before it is given to all."""
    paid = PaidAccess(ends_at="2030-01-01T00:00:00.000Z")
    made = stage.hub.add_model("Ink Soon", {LORA: vast("soon", 228 * MB)}, version={"paid": paid})
    url = f"https://civitai.com/api/download/models/{made.versions[0].id}"
    page = opened(stage, graph(load_lora(url=url, folder="loras")))
    expect(page.item(LORA).get_by_text("In early access")).to_be_visible()
    return page


def own_word(stage: Stage) -> HostPage:
    """One file comes from a host that is no hub, and needs a word of its own; an archive is not fetched."""
    page = opened(
        stage,
        graph(
            load_lora(
                "studio_style.safetensors",
                url="https://files.studio.example/studio_style.safetensors",
                folder="loras",
            ),
            load_lora("styles_pack.zip", url="https://files.studio.example/styles_pack.zip", folder="loras"),
        ),
    )
    expect(page.panel.get_by_text("This file comes from a host that is no known hub.")).to_be_visible()
    return page


def only_its_name(stage: Stage) -> HostPage:
    """One file has the name, and nothing else says that it is the one."""
    stage.hub.add_model("Ink Wash XL", {LORA: vast("ink", 228 * MB)})
    page = opened(stage, graph(load_lora()))
    expect(page.item(LORA).get_by_text(re.compile("^confirm$", re.IGNORECASE))).to_be_visible()
    return page


def not_found(stage: Stage) -> HostPage:
    """Nobody has the file."""
    page = opened(
        stage,
        graph(load_lora("my_own_finetune_step_012000.safetensors"), load_vae("grandmas_vae.safetensors")),
    )
    expect(page.panel.get_by_text("Not found · 2")).to_be_visible()
    return page


def pickle(stage: Stage) -> HostPage:
    """Files in a format that can run code: one that nobody vouches for, one whose scans passed."""
    hub = stage.hub
    plain = ServedFile(
        id=901, name="4x_crisp.pth", blob=blob_of(vast("crisp", 67 * MB)), format="PickleTensor"
    )
    bad = ServedFile(
        id=902,
        name="4x_grain.pth",
        blob=blob_of(vast("grain", 64 * MB)),
        format="PickleTensor",
        scan="Danger",
    )
    for number, (title, file) in enumerate((("4x Crisp", plain), ("4x Grain", bad))):
        hub.add_model(title, {}, type="Upscaler", version={"id": 950 + number, "files": (file,)})
    page = opened(
        stage,
        graph(
            *(
                node(
                    "UpscaleModelLoader",
                    name,
                    url=f"https://civitai.com/api/download/models/{id_}",
                    folder="upscale_models",
                )
                for name, id_ in (("4x_crisp.pth", 950), ("4x_grain.pth", 951))
            )
        ),
    )
    expect(page.item("4x_grain.pth").get_by_text(re.compile("scanners warn"))).to_be_visible()
    return page


def hub_down(stage: Stage) -> HostPage:
    """CivitAI does not answer; what the others have can be fetched."""
    stock_vast(stage.hub)
    stage.hub.bend("civitai", faults.status(503))
    workflow = certain_three()
    workflow["nodes"].append(graph(load_lora("paper_cut_v3.safetensors"))["nodes"][0] | {"id": 9})
    page = opened(stage, workflow)
    expect(page.panel.get_by_text("Not found · 1")).to_be_visible()
    return page


def offline(stage: Stage) -> HostPage:
    """Hubs are not asked at all; what is here under another name is still seen."""
    stage.put(f"loras/styles/{LORA}", models.lora("ink", trigger="ink wash"))
    page = opened(stage, graph(load_checkpoint(), load_lora()))
    expect(page.panel.get_by_text(re.compile("Working offline"))).to_be_visible()
    expect(page.panel.get_by_role("button", name="Relink")).to_be_visible()
    return page


def server_gone(stage: Stage) -> HostPage:
    """Our server does not answer any more."""
    page = certain(stage)
    page.page.context.set_offline(True)
    page.panel.get_by_role("button", name="Look again").click()
    expect(page.panel.get_by_text("The server cannot be reached.")).to_be_visible()
    return page


def no_room(stage: Stage) -> HostPage:
    """The drive has less room than is needed."""
    stock_vast(stage.hub)
    page = opened(stage, certain_three())
    expect(page.panel.get_by_text(re.compile("Not enough space"))).to_be_visible()
    return page


def elsewhere(stage: Stage) -> HostPage:
    """Two models lie here in another folder or under another name."""
    stage.put(f"loras/styles/{LORA}", models.lora("ink", trigger="ink wash"))
    stage.put(f"vae/old/{VAE}", models.vae("lamp"))
    page = opened(stage, graph(load_lora(), load_vae()))
    expect(page.panel.get_by_role("button", name="Relink 2 models")).to_be_visible()
    return page


def mixed(stage: Stage) -> HostPage:
    """A workflow with a model of each kind."""
    stock_vast(stage.hub)
    for name, creator in (("Paper Cut", "ann"), ("Paper Cut by Bob", "bob")):
        stage.hub.add_model(name, {"paper_cut_v3.safetensors": vast(creator, 151 * MB)}, creator=creator)
    stage.hub.add_repo(
        "northlight/harbor-control", {"harbor_depth.safetensors": vast("d", 2.5 * GB)}, gated="manual"
    )
    url = f"{HF}/northlight/harbor-control/resolve/main/harbor_depth.safetensors"
    stage.put("upscale_models/4x/crisp.safetensors", models.upscaler("crisp"))
    workflow = graph(
        *certain_three()["nodes"][:2],
        load_lora("paper_cut_v3.safetensors"),
        node("ControlNetLoader", "harbor_depth.safetensors", url=url, folder="controlnet"),
        load_vae("grandmas_vae.safetensors"),
        node("UpscaleModelLoader", "crisp.safetensors"),
    )
    for number, one in enumerate(workflow["nodes"], 1):
        one["id"] = number
    page = opened(stage, workflow)
    expect(page.panel.get_by_text("Not found · 1")).to_be_visible()
    expect(page.panel.get_by_role("button", name="Fetch 2 models · 7.17 GB")).to_be_enabled()
    return page


# ── transfers ──


def under_way(stage: Stage, *, rate: int = 1_200_000) -> HostPage:
    """Three large LoRAs begin to come, so slowly that one can look."""
    for name, size in (("ink_wash_style_xl_v2", 48), ("paper_cut_v3", 36), ("harbor_light_xl", 64)):
        stage.hub.add_repo(f"Comfy-Org/{name}", {f"{name}.safetensors": weights(name, size * MB)})
    stage.hub.bend("delivery.bytes", faults.slow(rate))
    names = ("ink_wash_style_xl_v2", "paper_cut_v3", "harbor_light_xl")
    page = opened(
        stage,
        graph(
            *(
                load_lora(
                    f"{one}.safetensors",
                    url=f"{HF}/Comfy-Org/{one}/resolve/main/{one}.safetensors",
                    folder="loras",
                )
                for one in names
            )
        ),
    )
    page.fetches.click()
    page.answer_first()
    return page


def transfers(page: HostPage) -> None:
    """Look at the list of transfers."""
    page.panel.get_by_role("tab", name="Transfers").click()


def await_progress(page: HostPage) -> None:
    """Wait until a part has come, and it is known how long the rest takes."""
    expect(page.panel.locator(".top").get_by_text(re.compile(r"\bleft$"))).to_be_visible(timeout=20_000)
    come = re.compile(r"^([2-9]\d|1[5-9])$")
    expect(page.panel.locator(".top .wm-bar")).to_have_attribute("aria-valuenow", come, timeout=30_000)


def fetching(stage: Stage) -> HostPage:
    """The list of what is missing, while it comes."""
    page = under_way(stage)
    expect(page.panel.get_by_text(re.compile(r"^[1-9]\d+ % of"))).to_have_count(3, timeout=20_000)
    return page


def running(stage: Stage) -> HostPage:
    """Transfers with progress, speed and the time they take."""
    page = under_way(stage)
    transfers(page)
    await_progress(page)
    return page


def paused(stage: Stage) -> HostPage:
    """All transfers stand still."""
    page = running(stage)
    page.panel.get_by_role("button", name="Pause all").click()
    expect(page.panel.get_by_text("3 paused")).to_be_visible()
    return page


def queued(stage: Stage) -> HostPage:
    """One at a time: the others wait, and the last one is being dragged to the front."""
    set_setting(stage.folder / "data", "transfers_at_once", "1")
    page = under_way(stage)
    transfers(page)
    await_progress(page)
    grips = page.panel.locator("[data-grip]")
    expect(grips).to_have_count(3)
    last, first = grips.nth(2).bounding_box(), page.panel.locator("li[data-id]").nth(1).bounding_box()
    assert last
    assert first
    page.page.mouse.move(last["x"] + 8, last["y"] + 8)
    page.page.mouse.down()
    page.page.mouse.move(last["x"] + 8, first["y"] + 4, steps=4)
    expect(page.panel.locator("li.before")).to_have_count(1)
    return page


def cancel_all(stage: Stage) -> HostPage:
    """Whether all are to be cancelled is asked first."""
    page = running(stage)
    page.panel.get_by_role("button", name="Cancel all").click()
    expect(page.panel.get_by_role("button", name="Keep")).to_be_visible()
    return page


def failed(stage: Stage) -> HostPage:
    """One transfer failed, and says why."""
    stock_small(stage.hub)
    stage.hub.bend("delivery.bytes", faults.wrong_bytes(), times=1)
    page = opened(stage, certain_three())
    page.fetches.click()
    page.answer_first()
    transfers(page)
    expect(page.panel.get_by_role("button", name=re.compile("^Try again"))).to_have_count(1, timeout=30_000)
    expect(page.panel.get_by_text("verified", exact=True)).to_have_count(2)
    page.page.evaluate("() => document.querySelectorAll('.toast').forEach((one) => one.remove())")
    return page


def history(stage: Stage) -> HostPage:
    """What came, and what it was checked against."""
    page = done(stage)
    transfers(page)
    expect(page.panel.get_by_text("verified", exact=True)).to_have_count(3)
    return page


def no_transfers(stage: Stage) -> HostPage:
    """Nothing was fetched yet."""
    page = empty(stage)
    transfers(page)
    expect(page.panel.get_by_text("No transfers yet.")).to_be_visible()
    return page


def done(stage: Stage) -> HostPage:
    """All came: a message says so, and the red marks are gone."""
    stock_small(stage.hub)
    page = opened(stage, certain_three())
    page.fetches.click()
    page.answer_first()
    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible(timeout=20_000)
    expect(page.toasts.get_by_text("3 models are here and verified")).to_be_visible()
    return page


# ── the page around the panel ──


def badge(stage: Stage) -> HostPage:
    """The panel is closed: a number on the tab, and one message."""
    stock_vast(stage.hub)
    page = stage.open()
    page.drop(certain_three(), name="portrait.json")
    expect(page.badge).to_have_text("3")
    expect(page.toasts).to_contain_text("3 models are missing")
    return page


def run_dialog(stage: Stage) -> HostPage:
    """Run was pressed on a graph that lacks models."""
    page = certain(stage)
    page.page.get_by_test_id("queue-button").click()
    expect(page.page.get_by_role("dialog").get_by_text("3 models are missing.")).to_be_visible()
    return page


def node_menu(stage: Stage) -> HostPage:
    """A right-click on a loader."""
    page = certain(stage)
    page.page.locator(".node").first.click(button="right", position={"x": 20, "y": 20})
    expect(page.page.get_by_role("menuitem", name="Pin source into workflow")).to_be_visible()
    return page


def pinned(stage: Stage) -> HostPage:
    """What was found was written into the nodes."""
    stage.hub.add_model("Ink Wash XL", {LORA: vast("ink", 228 * MB)})
    page = opened(stage, graph(load_lora()))
    expect(page.fetches).to_have_count(1)
    page.command("Comfywatchman.PinSources")
    expect(page.toasts.get_by_text("1 node names its source now")).to_be_visible()
    return page


# ── settings ──


def settings(stage: Stage) -> HostPage:
    """Tokens and settings, nothing set yet."""
    page = empty(stage)
    page.panel.get_by_role("tab", name="Settings").click()
    expect(page.panel.get_by_label("Bandwidth for all transfers")).to_be_visible()
    return page


def tokens(stage: Stage) -> HostPage:
    """One token works, another is not accepted."""
    ada = stage.hub.add_account("ada")
    page = settings(stage)
    for title, token in (("CivitAI", ada.token), ("Hugging Face", "hf_expired")):
        group = page.panel.get_by_role("group", name=title, exact=True)
        group.locator("input").fill(token)
        group.locator("input").press("Enter")
        said = "It works" if title == "CivitAI" else "does not accept this token"
        expect(group.get_by_text(re.compile(said))).to_be_visible()
    return page


def settings_dialog(stage: Stage) -> HostPage:
    """Our rows in the host's own settings."""
    page = stage.open()
    page.command("Comfy.ShowSettingsDialog")
    expect(page.page.get_by_role("dialog").get_by_text("Bandwidth").first).to_be_visible()
    return page


@dataclass(frozen=True, slots=True)
class Screen:
    """A state, how to come to it, and what of the page belongs to it."""

    drive: Callable[[Stage], HostPage]
    whole: bool = False
    offline: bool = False
    free: int = 212 * GB  # on the drive of the models

    @property
    def name(self) -> str:
        """Its name in files."""
        return self.drive.__name__.replace("_", "-")


def _screens() -> Iterator[Screen]:
    for drive in (
        empty,
        everything_here,
        checking,
        certain,
        first_question,
        mixed,
        only_its_name,
        choice,
        gated,
        login,
        early_access,
    ):
        yield Screen(drive)
    for drive in (own_word, pickle, not_found, hub_down, server_gone, elsewhere):
        yield Screen(drive)
    yield Screen(offline, offline=True)
    yield Screen(no_room, free=2 * GB)
    for drive in (fetching, running, paused, queued, cancel_all, failed, history, no_transfers):
        yield Screen(drive)
    yield from (Screen(drive, whole=True) for drive in (badge, done, run_dialog, pinned, settings_dialog))
    yield from (Screen(drive) for drive in (node_menu, settings, tokens))


SCREENS: Final[Mapping[str, Screen]] = {screen.name: screen for screen in _screens()}


# ── pictures ──

_SETTLE: Final = """async () => {
  for (const one of document.querySelectorAll("wm-panel")) one.requestUpdate();
  await Promise.all(document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity)
    .map((one) => one.finished.catch(() => null)));
  for (let at = 0; at < 3; at += 1) await new Promise(requestAnimationFrame);
}"""


def shoot(page: HostPage, screen: Screen, folder: Path, *, prefix: str = "") -> list[Path]:
    """A picture of the state in each theme and size."""
    made = []
    for width, height in SIZES.items():
        page.page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.paint(theme)
            page.arrange()
            page.page.evaluate(_SETTLE)
            target = folder / f"{prefix}{screen.name}-{theme}-{width}.webp"
            keep(page.page, target, clip=None if screen.whole else beside_canvas(page.page))
            made.append(target)
    return made


def beside_canvas(page: Page) -> FloatRect:
    """The sidebar with the panel, and a strip of the canvas; the rest is empty."""
    panel = page.locator("wm-panel").bounding_box()
    size = page.viewport_size
    assert panel
    assert size
    return {"x": 0, "y": 0, "width": panel["x"] + panel["width"] + CANVAS, "height": size["height"]}


def keep(page: Page, target: Path, *, clip: FloatRect | None) -> None:
    """Write what the page shows as WebP, without loss where that is small."""
    data = page.screenshot(**({"clip": clip} if clip else {}), caret="hide")
    with Image.open(io.BytesIO(data)) as picture:
        picture.convert("RGB").save(target, lossless=True, quality=90, method=6)
