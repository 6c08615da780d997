"""How long a drop takes until the panel shows it, measured in the page."""

from __future__ import annotations

import json
import statistics
import sys

import pytest
from playwright.sync_api import expect
from webstage import LORA, Stage, Stages
from webworkflows import Saved, graph, node

from comfywatchman.demo import models

NODES = 200
LIMIT_MS = 300  # a workflow of 200 nodes with everything local

# From the drop until the panel has drawn what the inspection says.
_MEASURE = """async ([name, text]) => {
  const panel = document.querySelector("wm-panel");
  const shown = () => panel.shadowRoot.querySelector("wm-missing")?.shadowRoot?.textContent ?? "";
  const carried = new DataTransfer();
  carried.items.add(new File([text], name, { type: "application/json" }));
  const begun = performance.now();
  document.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }));
  const isThere = () => window.app.extensionManager.workflow.activeWorkflow.filename + ".json" === name
    && panel.state?.views?.[name]?.inspection && shown().includes("Everything this workflow needs is here.");
  while (!isThere()) await new Promise((resolve) => requestAnimationFrame(resolve));
  return performance.now() - begun;
}"""


def large() -> Saved:
    """200 nodes, every second one a loader of a file that is here."""
    loaders = [node("LoraLoader", f"lora_{n}.safetensors", 1, 1) for n in range(NODES // 2)]
    return graph(*loaders, *(node("CLIPTextEncode", f"prompt {n}") for n in range(NODES // 2)))


def test_drop_to_panel(stage: Stage, record_property: pytest.RecordProperty) -> None:
    """Half of the drops of 200 nodes are on the panel within 300 ms."""
    for n in range(NODES // 2):
        stage.put(f"loras/lora_{n}.safetensors", LORA)
    page = stage.open()
    page.show()
    text = json.dumps(large())

    page.page.evaluate(_MEASURE, ["warm.json", text])
    times = [page.page.evaluate(_MEASURE, [f"{n}.json", text]) for n in range(7)]

    median = statistics.median(times)
    record_property("drop_to_panel_ms", round(median))
    sys.stdout.write(f"drop to panel, {NODES} nodes: {median:.0f} ms\n")
    assert median <= LIMIT_MS
    assert stage.hub.requests == []


@pytest.mark.full
def test_event_loop_while_transfers_run(stages: Stages) -> None:
    """Our routes never hold the host's event loop, while four transfers run and pages ask."""
    stage = stages.make(ticks=True)
    files = {f"big_{n}.safetensors": models.vae(f"big {n}", channels=512) for n in range(4)}
    stage.hub.add_repo("Comfy-Org/big", files)
    url = "https://huggingface.co/Comfy-Org/big/resolve/main"
    workflow = graph(*(node("VAELoader", name, url=f"{url}/{name}", folder="vae") for name in files))
    page = stage.open()
    page.drop(workflow)
    page.show()
    expect(page.badge).to_have_text("4")
    page.page.wait_for_timeout(500)  # what is imported the first time is so now
    stage.host.delays.clear()

    page.fetch.click()
    page.answer_first()
    expect(page.badge).to_be_hidden()

    delays = sorted(stage.host.delays)
    middle, most = delays[len(delays) // 2] * 1000, delays[-1] * 1000
    sys.stdout.write(f"event loop, four transfers: median {middle:.1f} ms late, most {most:.1f} ms\n")
    assert delays[-1] < 0.25  # one process does the hub's, the browser driver's and our work here
