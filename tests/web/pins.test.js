import assert from "node:assert/strict";
import test from "node:test";
import { keepPins } from "../../web/nodes/pins.js";

const INK = "civitai:7@70 sha256:aa ink.safetensors";
const FOG = "hf:owner/fog@5f/style/fog.safetensors sha256:bb fog.safetensors";

/** A loader after ComfyUI made it, and what it sends. @param {Record<string, string>} values */
function loader(values) {
  const widgets = Object.entries({ pinned: "", ...values }).map(([name, value]) => ({ name, value }));
  const node = { widgets };
  const run = keepPins({}, node);
  const widget = /** @type {any} */ (widgets.find(({ name }) => name === "pinned"));
  const set = (/** @type {string} */ name, /** @type {string} */ value) => {
    for (const one of widgets.filter((one) => one.name === name)) one.value = value;
  };
  const ran = (/** @type {string[]} */ ...pins) => run({ comfywatchman_pinned: pins });
  return { set, ran, sent: () => widget.serializeValue(), saved: () => widget.value };
}

test("what is sent stays what was sent, what is saved is the pin", () => {
  const node = loader({ lora_name: "ink.safetensors" });
  assert.equal(node.sent(), "");
  node.ran(INK);
  assert.deepEqual([node.sent(), node.saved()], ["", INK]);
  node.ran(INK); // from ComfyUI's cache
  assert.deepEqual([node.sent(), node.saved()], ["", INK]);
});

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
