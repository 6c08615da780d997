"""The list of what is missing, in each of its states: driven as a person comes to it."""

from __future__ import annotations

import re

from fakehub import faults
from fakehub.server import blob_of
from playwright.sync_api import expect
from scenery import (
    CHECKPOINT,
    GB,
    HF,
    LORA,
    MB,
    VAE,
    Place,
    certain_three,
    load_checkpoint,
    load_lora,
    load_vae,
    opened,
    stock_vast,
    vast,
)
from webstage import HostPage
from webworkflows import graph, node

from comfywatchman.demo import models
from comfywatchman.demo.pictures import seascape
from comfywatchman.demo.shelf import PaidAccess, ServedFile, ServedImage


def empty(stage: Place) -> HostPage:
    """Nothing is open that names a model."""
    page = stage.open()
    page.show()
    expect(page.panel.get_by_text("This workflow names no models.")).to_be_visible()
    return page


def checking(stage: Place) -> HostPage:
    """What the workflow links to is known; CivitAI has not answered."""
    stock_vast(stage.hub)
    stage.hub.bend("civitai", faults.slow(20))
    workflow = certain_three()
    workflow["nodes"].append(graph(load_lora("paper_cut_v3.safetensors"))["nodes"][0] | {"id": 9})
    page = opened(stage, workflow)
    expect(page.panel.get_by_text(re.compile("Asking .*CivitAI"))).to_be_visible()
    expect(page.panel.get_by_text("Certain · 3")).to_be_visible()
    return page


def everything_here(stage: Place) -> HostPage:
    """All that the workflow names lies here."""
    stage.put(f"checkpoints/{CHECKPOINT}", models.checkpoint("harbor"))
    stage.put(f"vae/{VAE}", models.vae("lamp"))
    page = opened(stage, graph(load_checkpoint(), load_vae()))
    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    return page


def certain(stage: Place) -> HostPage:
    """Three models are missing, and where each of them is is certain."""
    stock_vast(stage.hub)
    page = opened(stage, certain_three())
    expect(page.panel.get_by_role("button", name="Fetch 3 models · 7.5 GB")).to_be_enabled()
    return page


def first_question(stage: Place) -> HostPage:
    """The first fetch asks whether what is certain may come by itself from now on."""
    page = certain(stage)
    page.fetch.click()
    expect(page.panel.get_by_role("button", name="Yes, fetch by itself")).to_be_visible()
    return page


def choice(stage: Place) -> HostPage:
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


def gated(stage: Place) -> HostPage:
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


def login(stage: Place) -> HostPage:
    """CivitAI gives the file to those who are signed in, and says so when it is asked for."""
    made = stage.hub.add_model(
        "Members’ Ink", {LORA: models.lora("ink", trigger="ink wash")}, version={"needs_login": True}
    )
    url = f"https://civitai.com/api/download/models/{made.versions[0].id}"
    page = opened(stage, graph(load_lora(url=url, folder="loras")))
    page.fetches.click()
    page.answer_first()
    page.panel.get_by_role("tab", name="Transfers").click()
    expect(page.panel.get_by_role("button", name=re.compile("^Try again"))).to_be_visible(timeout=20_000)
    return page


def early_access(stage: Place) -> HostPage:
    """One file is sold before it is given to all."""
    paid = PaidAccess(ends_at="2030-01-01T00:00:00.000Z")
    made = stage.hub.add_model("Ink Soon", {LORA: vast("soon", 228 * MB)}, version={"paid": paid})
    url = f"https://civitai.com/api/download/models/{made.versions[0].id}"
    page = opened(stage, graph(load_lora(url=url, folder="loras")))
    expect(page.item(LORA).get_by_text("In early access")).to_be_visible()
    return page


def own_word(stage: Place) -> HostPage:
    """One file comes from a host that is no hub, and needs a word of its own."""
    name = "studio_style.safetensors"
    page = opened(stage, graph(load_lora(name, url=f"https://files.studio.example/{name}", folder="loras")))
    expect(page.panel.get_by_text("This file comes from a host that is no known hub.")).to_be_visible()
    expect(page.item(name).get_by_text("files.studio.example · workflow’s link")).to_be_visible()
    return page


def refused(stage: Place) -> HostPage:
    """One file is no longer given to anybody."""
    version = {"usage_control": "InternalGeneration"}
    made = stage.hub.add_model("Ink Once", {LORA: vast("once", 228 * MB)}, version=version)
    url = f"https://civitai.com/api/download/models/{made.versions[0].id}"
    page = opened(stage, graph(load_lora(url=url, folder="loras")))
    expect(page.panel.get_by_text(re.compile("^(Not fetched|Locked) · 1$"))).to_be_visible()
    return page


def only_its_name(stage: Place) -> HostPage:
    """One file has the name, and nothing else says that it is the one."""
    stage.hub.add_model("Ink Wash XL", {LORA: vast("ink", 228 * MB)})
    page = opened(stage, graph(load_lora()))
    expect(page.panel.get_by_text("To confirm · 1")).to_be_visible()
    return page


def not_found(stage: Place) -> HostPage:
    """Nobody has the file."""
    page = opened(
        stage,
        graph(load_lora("my_own_finetune_step_012000.safetensors"), load_vae("grandmas_vae.safetensors")),
    )
    expect(page.panel.get_by_text("Not found · 2")).to_be_visible()
    return page


def pickle(stage: Place) -> HostPage:
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


def hub_down(stage: Place) -> HostPage:
    """CivitAI does not answer; what the others have can be fetched."""
    stock_vast(stage.hub)
    stage.hub.bend("civitai", faults.status(503))
    workflow = certain_three()
    workflow["nodes"].append(graph(load_lora("paper_cut_v3.safetensors"))["nodes"][0] | {"id": 9})
    page = opened(stage, workflow)
    expect(page.panel.get_by_text("Not found · 1")).to_be_visible()
    return page


def offline(stage: Place) -> HostPage:
    """Hubs are not asked at all; what is here under another name is still seen."""
    stage.put(f"loras/styles/{LORA}", models.lora("ink", trigger="ink wash"))
    page = opened(stage, graph(load_checkpoint(), load_lora()))
    expect(page.panel.get_by_text(re.compile("Working offline"))).to_be_visible()
    expect(page.panel.get_by_role("button", name="Relink")).to_be_visible()
    return page


def server_gone(stage: Place) -> HostPage:
    """Our server does not answer any more."""
    page = certain(stage)
    page.page.context.set_offline(True)
    page.panel.get_by_role("button", name="Look again").click()
    expect(page.panel.get_by_text("The server cannot be reached.")).to_be_visible()
    return page


def no_room(stage: Place) -> HostPage:
    """The drive has less room than is needed."""
    stock_vast(stage.hub)
    page = opened(stage, certain_three())
    expect(page.panel.get_by_text(re.compile("Not enough space"))).to_be_visible()
    return page


def elsewhere(stage: Place) -> HostPage:
    """Two models lie here in another folder or under another name."""
    stage.put(f"loras/styles/{LORA}", models.lora("ink", trigger="ink wash"))
    stage.put(f"vae/old/{VAE}", models.vae("lamp"))
    page = opened(stage, graph(load_lora(), load_vae()))
    expect(page.panel.get_by_role("button", name="Relink 2 models")).to_be_visible()
    return page


def mixed(stage: Place) -> HostPage:
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
