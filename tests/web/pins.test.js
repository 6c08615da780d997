import assert from "node:assert/strict";
import test from "node:test";
import { keepPins, nextPins } from "../../web/nodes/pins.js";

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
  const ran = (/** @type {string[]} */ ...pins) => run({ comfywatchman: pins.map((pinned) => ({ pinned })) });
  return { set, ran, sent: () => widget.serializeValue(), saved: () => widget.value };
}

for (const [claim, before, told, idle, after] of /** @type {[string, string, string[], string[], string][]} */ ([
  ["an empty field takes what the run used", "", [INK], [], INK],
  ["what the run used replaces the pin of another model", FOG, [INK], [], INK],
  ["a row that is off keeps its pin, by its file's name", `${FOG}\n${INK}`, [INK], ["Style/FOG.safetensors"], `${INK}\n${FOG}`],
  ["a row that is off keeps its pin, by its address", INK, [FOG], ["https://civitai.com/models/7?modelVersionId=70"], `${FOG}\n${INK}`],
  ["a row that is off keeps its pin, by its repository", FOG, [INK], ["https://huggingface.co/owner/fog"], `${INK}\n${FOG}`],
  ["a pin that no row names any more goes", `${INK}\n${FOG}`, [INK], ["other.safetensors"], INK],
  ["another number is another model", INK, [], ["civitai:77"], ""],
  ["a model without a pin leaves none of an older one", FOG, [""], [], ""],
  ["a line that is kept stands once", INK, [INK], ["ink.safetensors"], INK],
])) {
  test(claim, () => assert.equal(nextPins(before, told.map((pinned) => ({ pinned })), idle), after));
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
  keepPins({}, bare)({ comfywatchman: [{ pinned: INK }] });
  assert.deepEqual(bare, { widgets: [{ name: "lora_name", value: "x" }] });
});
