"""Pages that are not ours, in a real Chromium, against every route; and texts that would be markup.

Each attack has its control: with the guard's step left out, or with the text put in as markup, it succeeds.
"""

# ruff: noqa: E501 - scripts and markup are easier to read unbroken

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest
from chromiumkit import ARGUMENTS, find_chromium
from playwright.sync_api import expect
from webstage import CHECKPOINT, FOG, LORA, HostPage, Stage, Stages
from webworkflows import graph, node
from worse import listened_to, telling, without_headers

from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.serving import PREFIX

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware
    from playwright.sync_api import Browser

CANARY: Final = "hf_canarycanarycanarycanary0123"
STEPS: Final = frozenset({"host", "origin", "site", "type", "header"})
WORKFLOW: Final = {"nodes": [], "links": [], "version": 0.4}
BODIES: Final[dict[str, Any]] = {
    "InspectionRequest": {"workflow": WORKFLOW},
    "PlanRequest": {"workflow": WORKFLOW},
    "FetchRequest": {"consent": "certain"},
    "TransfersChange": {"state": "cancelled"},
    "TransferChange": {"state": "cancelled"},
    "SettingsChange": {"bandwidth": "1 KiB"},
    "TokenRequest": {"token": "attacker"},
    "CheckpointRequest": {"name": None},
}

# Tries every way a page has to send something elsewhere, and waits for what it can wait for.
_ATTACK: Final = """async ([base, targets]) => {
  const rest = (time) => new Promise((resolve) => setTimeout(resolve, time));
  const frame = (sandbox) => {
    const made = document.createElement("iframe");
    if (sandbox) made.sandbox = "allow-scripts allow-forms";
    made.name = "f" + Math.random();
    document.body.append(made);
    return made;
  };
  const form = (url, body, target) => {
    const made = document.createElement("form");
    made.method = "post"; made.action = url; made.enctype = "text/plain"; made.target = target;
    const field = document.createElement("input");
    field.name = body.slice(0, -1) + ',"x":"'; field.value = '"}';
    made.append(field); document.body.append(made); made.submit();
  };
  for (const { method, path, body } of targets) {
    const url = base + path;
    const tries = [
      fetch(url, { method, mode: "no-cors", body }),
      fetch(url, { method, mode: "no-cors", body, credentials: "include", headers: { "Content-Type": "text/plain" } }),
      fetch(url, { method, headers: { "Content-Type": "application/json" }, body }),
      fetch(url, { method, headers: { "Content-Type": "application/json", "X-Comfywatchman": "1" }, body }),
    ];
    if (method === "POST") {
      navigator.sendBeacon(url, body);
      form(url, body, frame(false).name);
      const boxed = frame(true);
      boxed.srcdoc = `<script>fetch(${JSON.stringify(url)}, { method: "POST", mode: "no-cors", body: ${JSON.stringify(body)} })</` + `script>`;
    }
    new Image().src = url;
    const link = document.createElement("link");
    link.rel = "prefetch"; link.href = url; document.head.append(link);
    const source = new EventSource(url);
    const socket = new WebSocket(url.replace(/^http/, "ws"));
    await Promise.allSettled(tries);
    source.close();
    socket.close();
  }
  await rest(800);
}"""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>elsewhere</title><body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def elsewhere() -> Iterator[int]:
    """The port of a server with an empty page that is not ours."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Blank))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def rebound(chromium: Browser) -> Iterator[Browser]:
    """A Chromium for which evil.test is this machine."""
    driver = chromium.browser_type
    rule = "--host-resolver-rules=MAP evil.test 127.0.0.1"
    opened = driver.launch(executable_path=find_chromium(), args=[*ARGUMENTS, rule])
    yield opened
    opened.close()


def writes() -> list[dict[str, str]]:
    """Every write route and its twin below /api, with a body it would take."""
    return [
        {
            "method": route.method,
            "path": prefix
            + PREFIX
            + route.path.replace("{id}", "1")
            .replace("{folder}", "loras")
            .replace("{name}", "x")
            .replace("{hub}", "huggingface"),
            "body": json.dumps(BODIES.get(route.takes, {})),
        }
        for route in ROUTES
        if route.method != "GET"
        for prefix in ("", "/api")
    ]


def reads() -> list[str]:
    """Every route that is read, and its twin."""
    paths = [
        PREFIX + route.path.replace("{id}", "1").replace("{folder}", "loras").replace("{name}", "x")
        for route in ROUTES
        if route.method == "GET"
    ]
    return [*paths, *(f"/api{path}" for path in paths)]


def attack(stage: Stage, origin: str, browser: Browser) -> list[tuple[str, str, int]]:
    """What our routes answered to a page of another origin that tries everything."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(origin)
    stage.host.answers.clear()
    page.evaluate(_ATTACK, [stage.host.url, writes()])
    context.close()
    return [one for one in stage.host.answers if PREFIX in one[1]]


def succeeded(answers: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """The answers that were no refusal."""
    return [one for one in answers if one[2] < 400 and one[0] != "OPTIONS"]


FULL = pytest.mark.full


@pytest.mark.parametrize(
    "name", ["127.0.0.1", pytest.param("localhost", marks=FULL), pytest.param("evil.test", marks=FULL)]
)
def test_other_origins(stages: Stages, rebound: Browser, name: str) -> None:
    """No page of another port, name or site gets anything but refusals, by any way a page has."""
    stage = stages.make()
    with elsewhere() as port:
        answers = attack(stage, f"http://{name}:{port}/", rebound)

    tried = {(method, path) for method, path, _ in answers}
    posts = {(one["method"], one["path"]) for one in writes() if one["method"] == "POST"}
    assert posts <= tried  # the browser itself keeps the other methods back: no preflight is granted
    assert not {method for method, _ in tried} & {"PUT", "PATCH", "DELETE"}
    assert succeeded(answers) == []
    assert not any("transfers" in path and status == 200 for _, path, status in answers)
    assert stage.desk.house.tokens.get("huggingface") is None
    assert stage.desk.house.settings().bandwidth is None


def test_other_origins_control(stages: Stages, rebound: Browser) -> None:
    """With the guard's steps left out the same page does make plans here."""
    stage = stages.make(without=STEPS)
    with elsewhere() as port:
        answers = attack(stage, f"http://127.0.0.1:{port}/", rebound)

    assert any(path.endswith("plans") for method, path, _ in succeeded(answers) if method == "POST")


@pytest.mark.full
def test_top_level_form(stages: Stages, rebound: Browser) -> None:
    """A form that takes the whole page along is refused; without the guard it is not."""
    for without, status in ((frozenset[str](), 403), (STEPS, 202)):
        stage = stages.make(without=without)
        with elsewhere() as port:
            page = rebound.new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            with page.expect_navigation() as gone:
                page.evaluate(
                    """([url, body]) => {
                      const form = document.createElement("form");
                      form.method = "post"; form.action = url; form.enctype = "text/plain";
                      const field = document.createElement("input");
                      field.name = body.slice(0, -1) + ',"name":"'; field.value = '"}';
                      form.append(field); document.body.append(form); form.submit();
                    }""",
                    [f"{stage.host.url}{PREFIX}plans", json.dumps({"workflow": WORKFLOW})],
                )
            assert gone.value is not None
            assert gone.value.status == status
            page.close()


def test_rebinding(stages: Stages, rebound: Browser) -> None:
    """A name that leads to this machine is none of ours: reads and writes are refused, though the page is 'same-origin'."""
    statuses = {}
    for without in (frozenset[str](), frozenset({"host"})):
        stage = stages.make(without=without)
        page = rebound.new_page()
        page.goto(f"http://evil.test:{stage.host.port}/host.css")
        script = """async ([reads, writes]) => {
          const found = [];
          for (const path of reads) found.push((await fetch(path)).status);
          for (const { method, path, body } of writes) {
            const headers = { "Content-Type": "application/json", "X-Comfywatchman": "1" };
            found.push((await fetch(path, { method, headers, body })).status);
          }
          return found;
        }"""
        statuses[without] = page.evaluate(script, [reads(), writes()])
        page.close()

    assert set(statuses[frozenset()]) == {403}
    assert 200 in statuses[frozenset({"host"})]


SOCKETS: Final = 6  # tried of all routes: a browser takes its time with a host that refuses them
LISTEN: Final = """async ([sources, sockets]) => {
  const tell = (make) => new Promise((resolve) => {
    let heard = "nothing";
    try {
      const one = make();
      one.onopen = () => resolve("open");
      one.onmessage = (event) => resolve(event.data);
      one.onerror = () => resolve("refused");
    } catch (fault) { heard = String(fault); }
    setTimeout(() => resolve(heard), 3000);
  });
  const told = [];
  for (const url of sources) told.push(await tell(() => new EventSource(url)));
  for (const url of sockets) told.push(await tell(() => new WebSocket(url.replace(/^http/, "ws"))));
  return told;
}"""


@pytest.mark.full
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "evil.test"])
def test_listening_from_elsewhere(stages: Stages, rebound: Browser, name: str) -> None:
    """No event source or socket of another page is answered, by none of our routes."""
    stage = stages.make()
    told = listen(stage, rebound, name)
    assert set(told) == {"refused"}
    assert {status for _, _, status in stage.host.answers} == {403}
    assert {path for _, path, _ in stage.host.answers} == {*reads()}


@pytest.mark.full
def test_listening_control(stages: Stages, rebound: Browser) -> None:
    """With the guard off each of them is answered, though to no use: no route of ours talks as they do."""
    stage = stages.make(without=STEPS)
    told = listen(stage, rebound, "127.0.0.1")
    assert set(told) == {"refused"}
    answered = [path for _, path, status in stage.host.answers if status == 200]
    assert answered.count(f"{PREFIX}status") == 2


@pytest.mark.full
@pytest.mark.parametrize(("without", "heard"), [(frozenset(), "refused"), (STEPS, "open")])
def test_listening_to_what_talks(
    stages: Stages, rebound: Browser, without: frozenset[str], heard: str
) -> None:
    """A handler that does talk to pages is kept from others by the guard alone: with it off they listen."""
    stage = stages.make(more=listened_to(without=without))
    with elsewhere() as port:
        page = rebound.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        told = page.evaluate(LISTEN, [[f"{stage.host.url}{PREFIX}{one}"] for one in ("heard", "spoken")])
        page.close()
    assert told == [heard, heard]


def listen(stage: Stage, browser: Browser, name: str) -> list[str]:
    """What a page of another origin hears of every route that is read."""
    with elsewhere() as port:
        page = browser.new_page()
        page.goto(f"http://{name}:{port}/")
        stage.host.answers.clear()
        urls = [stage.host.url + path for path in reads()]
        told: list[str] = page.evaluate(LISTEN, [urls, urls[:SOCKETS]])
        page.close()
    return told


def framed(stage: Stage, browser: Browser) -> str:
    """What a page of another port shows in a frame of a route of ours, as its reader sees it."""
    with elsewhere() as port:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.evaluate(
            """(url) => { const frame = document.createElement("iframe"); frame.src = url; document.body.append(frame); }""",
            f"{stage.host.url}{PREFIX}status",
        )
        page.wait_for_timeout(800)
        texts = [
            str(frame.evaluate("() => document.documentElement?.innerText ?? ''"))
            for frame in page.frames[1:]
        ]
        page.close()
    return "\n".join(texts)


@pytest.mark.full
@pytest.mark.parametrize(
    ("without", "around", "is_shown"),
    [
        (frozenset(), [], False),
        (frozenset(), [without_headers], False),
        (STEPS, [], False),
        (STEPS, [without_headers], True),
    ],
    ids=["as it is", "guard alone", "headers alone", "neither"],
)
def test_framing(
    stages: Stages, rebound: Browser, without: frozenset[str], around: list[Middleware], is_shown: bool
) -> None:
    """An answer of ours shows in no frame of another page: guard and headers each see to it, and without both it does."""
    stage = stages.make(without=without, around=around)
    assert ("comfywatchman.status/1" in framed(stage, rebound)) is is_shown


# ── texts that would be markup ──

PAYLOADS: Final = (
    "<img src=x onerror=window.pwned=1>",
    "<svg onload=window.pwned=1>",
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "'><svg/onload=window.pwned=1>",
    "<details open ontoggle=window.pwned=1>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "<math><mtext></mtext><mglyph><style><!--</style><img src=x onerror=window.pwned=1>",
    "</textarea><img src=x onerror=window.pwned=1>",
    "</title><script>window.pwned=1</script>",
    "javascript:window.pwned=1",
    "data:text/html,<script>parent.pwned=1</script>",
    "${window.pwned=1}",
    "{{constructor.constructor('window.pwned=1')()}}",
    "<a href=javascript:window.pwned=1>x</a>",
    "<input autofocus onfocus=window.pwned=1>",
    "<video><source onerror=window.pwned=1>",
    "<body onpageshow=window.pwned=1>",
    "<style>@import 'javascript:window.pwned=1'</style>",
    "<template><img src=x onerror=window.pwned=1></template>",
    "x onmouseover=window.pwned=1 y",
    "&lt;img src=x onerror=window.pwned=1&gt;",
    "<object data=javascript:window.pwned=1>",
    "<form action=javascript:window.pwned=1><button>x",
)
_FOREIGN: Final = """() => {
  const found = [];
  const visit = (root) => {
    for (const one of root.querySelectorAll("*")) {
      const own = [...one.attributes].some(({ name, value }) => name.startsWith("on") || /^\\s*javascript:/i.test(value));
      if (own || (one.localName === "img" && one.getAttribute("src") === "x")) found.push(one.outerHTML);
      if (["script", "iframe", "object", "math"].includes(one.localName) && root !== document) found.push(one.outerHTML);
      if (one.shadowRoot) visit(one.shadowRoot);
    }
  };
  visit(document);
  return found;
}"""


def stock_payloads(stage: Stage) -> None:
    """Two models for each payload, with it in every text a hub gives, under one name of a file."""
    for n, text in enumerate(PAYLOADS):
        version = {"name": text, "base_model": text, "trained_words": (text,), "description": text}
        for data in (LORA, FOG):
            stage.hub.add_model(  # by whose name it is found
                f"p{n} {text}", {f"p{n}.safetensors": data}, creator=text, description=text, version=version
            )


def drop_payloads(page: HostPage) -> None:
    """A workflow that names those files, and with payloads as types, titles, names, addresses and its own name."""
    known = [node("LoraLoader", f"p{n}.safetensors", 1, 1, title=text) for n, text in enumerate(PAYLOADS)]
    strange = [node(text, f"{text.replace('/', '')}.safetensors", title=text) for text in PAYLOADS]
    linked = [
        node("LoraLoader", f"{n}{text}.safetensors", 1, 1, url=f"https://{text}/x", folder=text)
        for n, text in enumerate(PAYLOADS)
    ]
    page.drop(graph(*known, *strange, *linked), name=f"{PAYLOADS[0]}.json")


def test_markup_from_outside(stage: Stage) -> None:
    """Whatever a hub or a workflow says is text: nothing of it runs, becomes an element, or leaves the page."""
    stock_payloads(stage)
    page = stage.open()
    asked: list[str] = []
    page.page.on("request", lambda request: asked.append(request.url))
    drop_payloads(page)
    page.show()
    expect(page.item("p0.safetensors")).to_be_visible()

    for n in range(0, len(PAYLOADS), 4):
        page.item(f"p{n}.safetensors").get_by_role("button", name="Choose from 2").click()
    page.page.wait_for_timeout(500)

    assert page.page.evaluate("() => window.pwned ?? 0") == 0
    assert page.page.evaluate(_FOREIGN) == []
    assert [url for url in asked if not url.startswith((stage.host.url, "data:"))] == []
    assert page.errors == []


def test_markup_control(stage: Stage) -> None:
    """The same texts put in as markup do run: the test above would see them."""
    page = stage.open()
    page.page.evaluate("(text) => { document.querySelector('main').innerHTML = text; }", "".join(PAYLOADS))
    page.page.wait_for_timeout(300)
    assert page.page.evaluate("() => window.pwned ?? 0") == 1
    assert page.page.evaluate(_FOREIGN) != []


def places_of_token(stage: Stage) -> set[str]:
    """Where a token that a person typed can be read afterwards."""
    stage.hub.add_account("keeper")
    page = stage.open()
    bodies: list[str] = []
    page.page.on("response", lambda answer: bodies.append(_text_of(answer)) if PREFIX in answer.url else None)
    listening = """() => { window.heard = []; for (const name of ["transfer", "settings", "operation"])
          window.hostApi.addEventListener("comfywatchman." + name, (event) => heard.push(JSON.stringify(event.detail))); }"""
    page.page.evaluate(listening)
    page.show()
    page.panel.get_by_role("tab", name="Settings").click()
    page.panel.get_by_label("New token for Hugging Face").fill(CANARY)
    group = page.panel.get_by_role("group", name="Hugging Face")
    group.get_by_role("button", name="Save").click()
    expect(group.get_by_role("button", name="Test")).to_be_visible()
    page.page.wait_for_timeout(300)
    heard = page.page.evaluate("() => JSON.stringify(window.heard)")
    page.page.reload()
    page.page.wait_for_selector("body[data-ready=yes]")
    page.show()
    page.panel.get_by_role("tab", name="Settings").click()
    page.page.wait_for_timeout(300)
    token = stage.desk.house.tokens.get("huggingface")
    assert token is not None
    assert token.secret.reveal() == CANARY
    kept = {
        "answers": "".join(bodies),
        "events": heard,
        "stores": page.page.evaluate(
            "() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])"
        ),
        "elements": page.page.evaluate(
            """() => JSON.stringify([document.documentElement.outerHTML, document.querySelector("wm-panel").state])"""
        ),
        "fields": page.panel.evaluate(
            "(one) => [...one.shadowRoot.querySelector('wm-tokens').shadowRoot.querySelectorAll('input')].map((field) => field.value).join()"
        ),
    }
    assert kept["answers"]
    return {place for place, text in kept.items() if CANARY in text}


@pytest.mark.full
def test_token_is_never_readable(stage: Stage) -> None:
    """A token that was typed is in no answer, no event, no store of the page and no element."""
    assert places_of_token(stage) == set()


def _text_of(answer: Any) -> str:
    try:
        return str(answer.text())
    except Exception as fault:  # noqa: BLE001 - a page that was left has no bodies any more
        return str(fault)


@pytest.mark.full
def test_token_control(stages: Stages) -> None:
    """Routes that gave a token back and told of it would be found out, and so would a page that kept it."""
    stage = stages.make(around=[telling(CANARY)])
    send = stage.desk.send
    stage.desk.send = lambda event, data: send(event, {**data, "token": CANARY})
    assert places_of_token(stage) == {"answers", "events"}

    page = stage.open()
    page.page.evaluate("(text) => sessionStorage.setItem('kept', text)", CANARY)
    assert CANARY in page.page.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")


@pytest.mark.full
def test_own_page_is_let_in(stage: Stage) -> None:
    """The other side of it all: our own page reads and writes."""
    stage.put("checkpoints/one.safetensors", CHECKPOINT)
    page = stage.open()
    page.show()
    stage.host.answers.clear()
    page.drop(graph(node("CheckpointLoaderSimple", "one.safetensors")))
    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    assert ("POST", f"/api{PREFIX}inspections", 200) in stage.host.answers
