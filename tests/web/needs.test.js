import assert from "node:assert/strict";
import test from "node:test";
import { lacksOf, needsOf, relinksOf } from "../../web/needs.js";

/** @typedef {import("../../web/types.js").View} View */

/** @param {string} node_type @param {string} name @param {string | null} url */
function reference(node_type, name, url = null, state = "missing") {
  const resolution = { state, evidence: null, relink: null };
  return { key: `${node_type}:${name}`, node_id: "1", node_type, input: "x", folder: "loras", name, active: true, url, resolution };
}

/** @param {...any} references @returns {View} */
function view(...references) {
  return /** @type {any} */ ({ inspection: { references }, plan: null, planning: false });
}

test("a run lacks what nobody brings: our own nodes bring what they know the source of", () => {
  const linked = reference("ComfyWatchmanLoRALoader", "v:70", "https://civitai.com/api/download/models/70");
  const named = reference("ComfyWatchmanLoRALoader", "fog.safetensors");
  const stock = reference("LoraLoader", "ink.safetensors", "https://huggingface.co/a/b/resolve/main/ink.safetensors");
  const here = reference("LoraLoader", "here.safetensors", null, "present");
  const seen = view(linked, named, stock, here);
  assert.deepEqual(needsOf(seen), ["loras/fog.safetensors", "loras/ink.safetensors", "loras/v:70"]);
  assert.deepEqual(lacksOf(seen), ["loras/fog.safetensors", "loras/ink.safetensors"]);
  assert.deepEqual(lacksOf(view(linked, { ...linked, node_type: "LoraLoader" })), ["loras/v:70"]);
  assert.deepEqual(lacksOf(null), []);
});

test("a link stays a link when its file has come", () => {
  const where = { node_id: "1", input: "source", folder: "loras" };
  const references = [{ ...where, name: "v:70", linked: true }, { ...where, name: "ink.safetensors" }];
  const came = /** @type {any} */ ({ relink: "style/ink.safetensors", references });
  assert.deepEqual(relinksOf(came), [{ node_id: "1", input: "source", from: "ink.safetensors", to: "style/ink.safetensors" }]);
});
