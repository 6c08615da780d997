"""The panel's elements in a real Chromium, on the gallery page: looks, keys, screen readers, hostile text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from comfywatchman.demo.pictures import seascape
from comfywatchman.library.previews import make_preview

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Open = Callable[..., Page]

HERE = Path(__file__).resolve().parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
WEB = HERE.parents[1] / "web"
SCENES = "everything,certain,choose,locked,done,unscanned,offline,down,full,transfers,idle,settings"
HOSTILE = 10


@pytest.fixture
def gallery(chromium: Browser, site: str) -> Iterator[Open]:
    """Opens the gallery with a scene; whatever the page's scripts complain of fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    faults: list[str] = []

    def show(scene: str, **options: Any) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        asked = "&".join(f"{name}={value}" for name, value in {"scene": scene, **options}.items())
        page.goto(f"{site}/tests/web/gallery.html?{asked}")
        page.wait_for_function("document.querySelector('wm-panel')?.shadowRoot?.querySelector('h2')")
        return page

    yield show
    context.close()
    assert faults == []


def heard(page: Page, wish: str) -> list[Any]:
    """What the panels wished by a name, in their order."""
    return page.evaluate("(wish) => window.heard.filter(([name]) => name === wish).map(([, d]) => d)", wish)


@pytest.mark.parametrize("theme", ["dark", "light", "none"])
def test_axe(gallery: Open, theme: str) -> None:
    """No state of the panel has a serious fault of accessibility, in ComfyUI's palettes or without them."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `make web`")
    page = gallery(SCENES, theme=theme)
    page.evaluate("probes.unfold()")
    page.add_script_tag(path=str(AXE))
    found = page.evaluate("async () => (await axe.run({ resultTypes: ['violations'] })).violations")
    serious = [
        (rule["id"], node["target"], node.get("failureSummary"))
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert serious == []


def test_early_access_page_first(gallery: Open) -> None:
    """What is had on a page is sent there first; where a token alone opens a file, that comes first."""
    page = gallery("locked")
    first = {
        name: page.get_by_role("group", name=name, exact=True).locator(".actions > *").first.inner_text()
        for name in ("soon/inkSoon_v1.safetensors", "sd3.5_large.safetensors", "membersOnly_v3.safetensors")
    }
    assert [one.strip() for one in first.values()] == [
        "Open the page at CivitAI",
        "Open the page at Hugging Face",
        "Set the CivitAI token",
    ]


def test_pickle_is_warned_of_once(gallery: Open) -> None:
    """A row says once what a pickle can do."""
    page = gallery("locked")
    row = page.get_by_role("group", name="4x_NMKD-Superscale-SP_178000_G.pth", exact=True)
    assert row.get_by_text("pickle").count() == 1
    assert row.get_by_text("run code").count() == 1


def test_many_not_found(gallery: Open) -> None:
    """Why three hundred files are not found is said once, and the list is drawn in a moment."""
    page = gallery("idle")
    milliseconds = page.evaluate(
        """async () => {
          const { SCENES } = await import("./fixtures.js");
          const panel = document.querySelector("wm-panel");
          const start = performance.now();
          Object.assign(panel, { state: SCENES.many.state, tab: "missing" });
          await panel.updateComplete;
          panel.getBoundingClientRect();
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          return performance.now() - start;
        }"""
    )
    assert page.locator("wm-item").count() == 300
    assert page.get_by_text("not found in").count() == 1
    assert milliseconds < 1500  # 230 where it was measured


def test_names_in_a_narrow_panel(gallery: Open) -> None:
    """In the narrowest sidebar a name goes on below at its separators, whole, with its sub-folder."""
    page = gallery("everything,locked,transfers", width=224)
    cut = page.evaluate(
        """() => {
          const isCut = (part) => part.clientWidth && part.scrollWidth > part.clientWidth + 1;
          return probes.all().filter((one) => one.matches(".wm-name"))
            .filter((one) => [one, ...one.children].some(isCut)).map((one) => one.textContent);
        }"""
    )
    assert cut == []
    row = page.get_by_role("group", name="soon/inkSoon_v1.safetensors", exact=True)
    assert row.locator(".place").inner_text() == "loras/soon"


@pytest.mark.parametrize("tab", ["missing", "transfers", "settings"])
def test_hostile_text(gallery: Open, site: str, tab: str) -> None:
    """Text from outside stays text in every field: nothing runs, is loaded or becomes an element."""
    page = gallery(",".join(f"hostile-{at}" for at in range(HOSTILE)), tab=tab)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("probes.unfold()")
    page.wait_for_timeout(200)

    assert page.evaluate("window.ran") == []
    assert page.evaluate("probes.odd()") == []
    assert [url for url in asked if not url.startswith(site)] == []
    assert "hacked(" in page.evaluate("document.querySelector('wm-panel').shadowRoot.textContent")


def test_hostile_text_control(gallery: Open) -> None:
    """The same text taken for markup does run: the test above would see it."""
    page = gallery("hostile-0")
    page.evaluate("probes.trust(PAYLOADS)")
    page.wait_for_timeout(200)
    assert "img" in page.evaluate("window.ran")
    assert len(page.evaluate("probes.odd()")) > 3


@pytest.mark.parametrize("width", [200, 260, 320, 380, 560, 900])
def test_width(gallery: Open, width: int) -> None:
    """From 200 to 900 pixels nothing sticks out of the panel, however long a name is."""
    page = gallery("everything,choose,down,transfers,settings,hostile-0", width=width)
    page.evaluate("probes.unfold()")
    page.wait_for_timeout(50)
    assert page.evaluate("probes.sticking()") == []


def test_width_control(gallery: Open) -> None:
    """In a panel far too narrow something does stick out: the test above would see it."""
    page = gallery("transfers", width=70)
    assert page.evaluate("probes.sticking()") != []


def test_tabs_by_keyboard(gallery: Open) -> None:
    """Arrow keys go from tab to tab, and one of them only is a stop of the Tab key."""
    page = gallery("everything")
    page.get_by_role("tab", name="Missing").focus()
    for key, tab in [
        ("ArrowRight", "transfers"),
        ("ArrowRight", "settings"),
        ("ArrowRight", "missing"),
        ("End", "settings"),
    ]:
        page.keyboard.press(key)
        page.wait_for_selector(f"wm-panel[tab={tab}]")
    assert page.get_by_role("tab", selected=True).inner_text() == "Settings"
    assert page.locator("[role=tab][tabindex='0']").count() == 1
    assert heard(page, "wm-tab")[-1] == {"tab": "settings"}


@pytest.mark.parametrize("status", [200, 404])
def test_pictures(gallery: Open, status: int) -> None:
    """A candidate's picture fills its box once it has come; without it the sign stays, and nothing moves."""
    page = gallery("choose")
    drawn = make_preview(seascape("flux"))
    waiting: list[Any] = []

    def hold(route: Any) -> None:
        waiting.append(route)

    page.route("**/comfywatchman/v1/previews/*", hold)
    page.get_by_role("button", name="Choose from 3").click()
    picture = page.get_by_role("img", name="Example image of FLUX.1 [dev] fp8 · fp8 e4m3fn")
    boxes = page.locator(".picture")
    before = [box.bounding_box() for box in boxes.all()]
    page.wait_for_timeout(100)
    (request,) = waiting
    assert "referer" not in request.request.headers
    request.fulfill(status=status, content_type="image/jpeg", body=drawn if status == 200 else b"")
    picture.evaluate("one => one.decode().catch(() => null)")

    assert picture.evaluate("one => getComputedStyle(one).opacity") == ("1" if status == 200 else "0")
    assert picture.evaluate("one => one.naturalWidth") == (104 if status == 200 else 0)
    assert [box.bounding_box() for box in boxes.all()] == before
    assert {(box["width"], box["height"]) for box in before if box} == {(72, 96)}


def test_choosing_by_keyboard(gallery: Open) -> None:
    """Candidates are radio buttons: arrows choose, but not what cannot be fetched; Escape folds."""
    page = gallery("choose")
    page.get_by_role("button", name="Choose from 3").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # the third one is locked
    assert [one["candidate"] for one in heard(page, "wm-choose")] == [0, 1]
    assert page.get_by_role("radio", checked=True).get_attribute("aria-labelledby") == "title-1"
    page.get_by_role("button", name="Fetch 2 models · 17.5 GB").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("wm-choices").count() == 0
    assert page.evaluate("document.activeElement.localName") == "wm-panel"


def test_first_fetch_asks(gallery: Open) -> None:
    """The first fetch asks whether to fetch by itself from now on; Escape leaves, an answer goes along."""
    page = gallery("certain")
    fetch = page.get_by_role("button", name="Fetch 3 models · 7.59 GB")
    fetch.click()
    page.get_by_role("button", name="Yes, fetch by itself").wait_for()
    page.keyboard.press("Escape")
    fetch.wait_for()
    assert heard(page, "wm-fetch") == []
    fetch.click()
    page.get_by_role("button", name="Ask me each time").click()
    page.wait_for_function("() => probes.focused().matches('.scroll')")
    [wish] = heard(page, "wm-fetch")
    assert wish["body"]["remember"] is False
    assert sorted(wish["body"]["items"]) == ["20.lora_name", "4.ckpt_name", "8.vae_name"]


def test_own_word(gallery: Open) -> None:
    """A foreign host is shown in full beside an empty box; nothing is fetched until it is ticked."""
    page = gallery("locked")
    host = "files.a-very-long-subdomain.of-some-studio.example.org:8443"
    box = page.get_by_role("checkbox", name=f"Fetch it from {host}")
    assert not box.is_checked()
    assert page.get_by_role("button", name="Nothing chosen to fetch").is_disabled()
    box.check()
    assert heard(page, "wm-agree") == [{"key": "11.lora_name", "agreed": True}]
    page.get_by_role("button", name="Fetch 1 model · 151 MB").click()
    [wish] = heard(page, "wm-fetch")
    assert wish["body"]["items"] == {"11.lora_name": {"candidate": 0, "agreed": True, "root": None}}


def test_locate(gallery: Open) -> None:
    """A node's name is a button that leads to the node, inside a subgraph too."""
    page = gallery("certain")
    page.get_by_role("button", name="Decode big #12:3").click()
    assert heard(page, "wm-locate") == [{"key": "8.vae_name", "id": "12:3", "input": "vae_name"}]


def test_token_field(gallery: Open) -> None:
    """A token is said once and then forgotten by its field; keys typed there are no shortcuts of the page."""
    page = gallery("settings")
    page.evaluate("document.addEventListener('keydown', (e) => window.heard.push(['key', e.key]))")
    field = page.get_by_label("New token for CivitAI")
    field.click()
    page.keyboard.type("s3cret")
    page.keyboard.press("Enter")
    assert heard(page, "wm-token-set") == [{"hub": "civitai", "token": "s3cret"}]
    assert field.input_value() == ""
    assert field.get_attribute("type") == "password"
    assert "s" not in heard(page, "key")


def test_settings(gallery: Open) -> None:
    """A setting is changed where it stands; an emptied field takes the default; guarded ones are shown."""
    page = gallery("settings")
    bandwidth = page.get_by_label("Bandwidth for all transfers")
    assert bandwidth.input_value() == "20 MiB"
    bandwidth.fill("5 MiB")
    bandwidth.press("Enter")
    bandwidth.fill("")
    bandwidth.blur()
    page.get_by_role("button", name="Ask me again").click()
    assert [wish["changes"] for wish in heard(page, "wm-settings")] == [
        {"bandwidth": "5 MiB"},
        {"bandwidth": None},
        {"fetch_certain": None},
    ]
    assert page.locator("input#automatic_cap").count() == 0
    assert page.get_by_label("Pictures of models").locator("option:checked").inner_text() == "safe"


def test_guarded_settings(gallery: Open) -> None:
    """That only the server can change some settings is said once, and each of them has a name."""
    page = gallery("settings")
    page.get_by_text("Set on the server").click()
    details = page.locator("wm-settings details")
    assert details.get_by_text("no page can change them").count() == 1
    labels = details.locator("label").all_inner_texts()
    assert labels == ["Largest file without a question", "Pages on other machines", "Hugging Face’s address"]


def test_refused_token(gallery: Open) -> None:
    """A token that its hub refused is not shown as set; where to get another one is."""
    page = gallery("settings")
    hub = page.get_by_role("group", name="Hugging Face", exact=True)
    assert hub.locator(".wm-chip").inner_text().strip() == "refused"
    assert hub.get_by_role("link", name="Get one at Hugging Face").count() == 1


def test_targets(gallery: Open) -> None:
    """Where several directories serve a folder one of them is chosen; the others are not asked about."""
    page = gallery("settings")
    page.get_by_label("New files of loras go to").select_option("big/loras")
    assert heard(page, "wm-settings") == [{"changes": {"targets": {"loras": "r3"}}}]
    assert page.get_by_label("New files of vae go to").count() == 0
    assert "[object Object]" not in page.locator("wm-settings").inner_text()


def test_filter(gallery: Open) -> None:
    """A filter leaves what fits it, and says when nothing does."""
    page = gallery("everything")
    field = page.get_by_role("searchbox")
    field.fill("lora")
    page.wait_for_timeout(50)
    keys = page.locator("wm-item").evaluate_all("(all) => all.map((one) => one.item.key.split('.')[0])")
    assert keys == ["20", "10", "11", "21", "16", "18"]
    field.fill("nothing like this")
    page.get_by_text("Nothing matches “nothing like this”.").wait_for()


def test_items_by_arrows(gallery: Open) -> None:
    """Up and Down go from item to item."""
    page = gallery("certain")
    page.get_by_role("checkbox").first.focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("probes.focused().ariaLabel") == "Fetch ae.safetensors"


@pytest.mark.parametrize(
    ("at", "key", "wish"),
    [
        (0, "Alt+ArrowDown", {"id": "t1", "before": "t3"}),
        (2, "Alt+ArrowUp", {"id": "t3", "before": "t2"}),
        (3, "Alt+ArrowUp", {"id": "t4", "before": "t3"}),
        (2, "Alt+ArrowDown", {"id": "t3", "before": None}),
        (0, "Alt+ArrowUp", None),
        (3, "Alt+ArrowDown", None),
    ],
)
def test_order_by_keyboard(gallery: Open, at: int, key: str, wish: Any) -> None:
    """Alt with an arrow moves a transfer one place; at the ends it stays. The move is said aloud."""
    page = gallery("transfers")
    page.locator("[data-grip]").nth(at).focus()
    page.keyboard.press(key)
    assert heard(page, "wm-move") == ([wish] if wish else [])
    assert ("is now number" in page.locator("wm-transfers .wm-hidden").inner_text()) == (wish is not None)


@pytest.mark.parametrize(
    ("at", "onto", "wish"),
    [
        (0, 2, {"id": "t1", "before": "t3"}),
        (3, 0, {"id": "t4", "before": "t1"}),
        (1, 1, None),
    ],
)
def test_order_by_dragging(gallery: Open, at: int, onto: int, wish: Any) -> None:
    """A transfer dragged by its handle comes before the row it is let go above."""
    page = gallery("transfers")
    grip = page.locator("[data-grip]").nth(at).bounding_box()
    row = page.locator("li[data-id]").nth(onto).bounding_box()
    assert grip
    assert row
    page.mouse.move(grip["x"] + 8, grip["y"] + 8)
    page.mouse.down()
    page.mouse.move(grip["x"] + 8, row["y"] + 4, steps=4)
    page.mouse.up()
    assert heard(page, "wm-move") == ([wish] if wish else [])


def test_transfer_buttons(gallery: Open) -> None:
    """Each transfer can be paused, resumed, cancelled, tried again; so can all, cancelled only when sure."""
    page = gallery("transfers")
    for name in ("Pause: sd_xl_base", "Resume: flux1", "Cancel: sd_xl_base", "Try again: add-detail"):
        page.get_by_role("button", name=name).click()
    page.get_by_role("button", name="Pause all").click()
    page.get_by_role("button", name="Cancel all").click()
    page.get_by_role("button", name="Keep").click()
    assert [(wish["id"], wish["action"]) for wish in heard(page, "wm-transfer")] == [
        ("t1", "pause"),
        ("t4", "resume"),
        ("t1", "cancel"),
        ("t5", "retry"),
        ("all", "pause"),
    ]
    page.get_by_role("button", name="Cancel all").click()
    page.get_by_role("button", name="Cancel all").click()
    page.get_by_role("button", name="Clear history").click()
    assert [(wish["id"], wish["action"]) for wish in heard(page, "wm-transfer")][-2:] == [
        ("all", "cancel"),
        ("all", "forget"),
    ]


def test_progress_is_quiet(gallery: Open) -> None:
    """A tick moves the bars and changes no text that is read aloud."""
    page = gallery("transfers")
    before = page.evaluate("probes.spoken()")
    bar = page.get_by_role("progressbar", name="sd_xl_base")
    assert bar.get_attribute("aria-valuenow") == "42"
    page.evaluate("""() => {
      const transfers = [{ id: 't1', state: 'running', done: 5e9 }];
      const panel = document.querySelector('wm-panel');
      panel.state = reduce(panel.state, { type: 'ticks', transfers, queue: { speed: 9e7 } });
    }""")
    page.wait_for_timeout(50)
    assert bar.get_attribute("aria-valuenow") == "72"
    assert page.evaluate("probes.spoken()") == before


def test_modules_have_no_effect(gallery: Open, site: str) -> None:
    """ComfyUI imports every module at start, perhaps under two addresses: only elements come of it."""
    page = gallery("idle")
    paths = [
        f"/web/{path.relative_to(WEB).as_posix()}"
        for path in sorted(WEB.rglob("*.js"))
        if "scripts/app.js" not in path.read_text(encoding="utf-8")
    ]
    added = page.evaluate(
        """async (paths) => {
          const before = document.documentElement.outerHTML;
          const known = new Set([...Object.keys(window), ...['litElement', 'litHtml', 'reactiveElement'].map(
            (name) => `${name}Versions`)]);
          for (const path of paths) { await import(path); await import(`${path}?again`); }
          const added = Object.keys(window).filter((key) => !known.has(key));
          return [added, document.documentElement.outerHTML === before];
        }""",
        paths,
    )
    assert len(paths) > 15
    assert added == [[], True]


def test_calm_when_asked(chromium: Browser, site: str) -> None:
    """Who asks for less motion gets none."""
    page = chromium.new_page(reduced_motion="reduce")
    page.goto(f"{site}/tests/web/gallery.html?scene=everything,transfers")
    page.wait_for_selector("wm-transfers")
    moving = page.evaluate("document.getAnimations().length")
    page.close()
    assert moving == 0
