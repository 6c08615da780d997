import assert from "node:assert/strict";
import test from "node:test";
import { isFixed, keepPins } from "../../web/nodes/pins.js";

const INK = "civitai:7@70 sha256:aa ink.safetensors";
const FOG = "hf:owner/fog@5f/style/fog.safetensors sha256:bb fog.safetensors";

/** A loader after ComfyUI made it, and what it sends. @param {Record<string, string>} values */
function loader(values) {
  const widgets = Object.entries({ pinned: "", ...values }).map(([name, value]) => ({ name, value }));
  const node = /** @type {any} */ ({ widgets });
  const run = keepPins({}, node);
  const widget = /** @type {any} */ (widgets.find(({ name }) => name === "pinned"));
  const set = (/** @type {string} */ name, /** @type {string} */ value) => {
    for (const one of widgets.filter((one) => one.name === name)) one.value = value;
  };
  const ran = (/** @type {string[]} */ ...pins) => run({ comfywatchman_pinned: pins });
  const sent = () => (widget.beforeQueued(), widget.serializeValue());
  return { node, set, ran, sent, exported: () => widget.serializeValue(), saved: () => widget.value };
}

test("what is sent stays what was sent, what is saved is the pin", () => {
  const node = loader({ lora_name: "ink.safetensors" });
  assert.equal(node.sent(), "");
  node.ran(INK);
  assert.deepEqual([node.sent(), node.saved()], ["", INK]);
  assert.equal(node.exported(), INK);
  node.ran(INK); // from ComfyUI's cache
  assert.deepEqual([node.sent(), node.saved()], ["", INK]);
});

test("what is exported is the pin, also of a node that no run takes", () => {
  const node = loader({ source: "v:70" });
  node.ran(INK);
  node.node.mode = 4;
  node.node.widgets.find(({ name }) => name === "pinned").beforeQueued();
  node.node.mode = 0;
  assert.equal(node.exported(), INK);
  assert.equal(node.sent(), "");
  assert.equal(node.exported(), INK);
});

test("a source that may mean another release tomorrow is sent with its pin", () => {
  const node = loader({ lora_name: "fog.safetensors", source: "7" });
  node.ran(INK);
  assert.deepEqual([node.sent(), node.exported(), node.saved()], [INK, INK, INK]);
});

const COMMIT = "5f".repeat(20);
/** @type {[string, boolean][]} */
const SOURCES = [
  ["v:70", true],
  ["V:70 ", true],
  ["urn:air:sdxl:lora:civitai:7@70", true],
  ["air:sdxl:lora:civitai:7@70+4.safetensors", true],
  ["https://civitai.com/models/7/ink?modelVersionId=70", true],
  ["civitai.com/models/7?type=x&modelVersionId=70", true],
  ["https://civitai.com/api/download/models/70", true],
  [`hf:a/b@${COMMIT}/ink.safetensors`, true],
  [`https://huggingface.co/a/b/resolve/${COMMIT}/ink.safetensors`, true],
  ["style/ink.safetensors", true],
  ["none", true], // the name beside it counts
  ["7", false],
  ["urn:air:sdxl:lora:civitai:7", false],
  ["https://civitai.com/models/7", false],
  ["hf:a/b/ink.safetensors", false],
  ["hf:a/b@main/ink.safetensors", false],
  ["https://huggingface.co/a/b/resolve/main/ink.safetensors", false],
  ["huggingface.co/a/b/resolve/main/ink.safetensors", false],
  ["what is this", false],
];

for (const [source, fixed] of SOURCES) {
  test(`isFixed: ${source}`, () => {
    assert.equal(isFixed(loader({ lora_name: "ink.safetensors", source }).node), fixed);
    assert.equal(isFixed(loader({ loras: `${source}\noff | 7` }).node), source === "none" ? false : fixed);
  });
}

test("a pin that was loaded with the workflow is sent", () => {
  const node = loader({ lora_name: "ink.safetensors", pinned: INK });
  assert.equal(node.sent(), INK);
  node.ran(INK);
  assert.equal(node.sent(), INK);
});

test("with another model the pin is sent, replaced by the run, and held again", () => {
  const node = loader({ lora_name: "ink.safetensors" });
  node.ran(INK);
  node.set("lora_name", "fog.safetensors");
  assert.equal(node.sent(), INK);
  node.ran(FOG);
  assert.deepEqual([node.sent(), node.saved()], [INK, FOG]);
});

test("a pin written by hand is sent", () => {
  const node = loader({ lora_name: "ink.safetensors" });
  node.ran(INK);
  node.set("pinned", FOG);
  assert.equal(node.sent(), FOG);
});

test("a run that tells nothing changes nothing; a node without the field is left alone", () => {
  const node = loader({ lora_name: "ink.safetensors", pinned: INK });
  node.ran();
  assert.equal(node.saved(), INK);
  const bare = { widgets: [{ name: "lora_name", value: "x" }] };
  keepPins({}, bare)({ comfywatchman_pinned: [INK] });
  assert.deepEqual(bare, { widgets: [{ name: "lora_name", value: "x" }] });
});
