// graph.js and edits.js on graphs that are data: those of the host page, and shapes as older front ends have them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { asOneChange, mergeModel, pin, relink } from "../../web/edits.js";
import { findNode, holdersOf, locate, markOf, walk } from "../../web/graph.js";
import { Graph } from "./host/page/scripts/graph.js";

const INNER = {
  id: "sub-1",
  inputs: [{ name: "ckpt", type: "COMBO", linkIds: [5] }],
  nodes: [
    {
      id: 3,
      type: "CheckpointLoaderSimple",
      inputs: [{ name: "ckpt_name", type: "COMBO", widget: { name: "ckpt_name" }, link: 5 }],
      widgets_values: ["old.safetensors"],
    },
  ],
  links: [{ id: 5, origin_id: -10, origin_slot: 0, target_id: 3, target_slot: 0 }],
};

/** @param {any} data */
function open(data) {
  const app = {
    definitions: new Map(),
    canvas: { draw() {} },
    inputsOf: (/** @type {string} */ type) =>
      type === "CheckpointLoaderSimple" ? [["ckpt_name", [["sub/here.safetensors", "old.safetensors"]]]] : [],
  };
  for (const one of data.definitions ?? []) app.definitions.set(one.id, new Graph(/** @type {any} */ (app), one));
  return { app, root: new Graph(/** @type {any} */ (app), data) };
}

function nested() {
  return open({
    definitions: [INNER],
    nodes: [
      { id: 1, type: "CheckpointLoaderSimple", widgets_values: ["old.safetensors"] },
      { id: 7, type: "sub-1", widgets_values: ["old.safetensors"] },
    ],
  });
}

/** @param {any} root @param {string} id @param {string} name */
const valueOf = (root, id, name) => findNode(root, id)?.node.widgets?.find((one) => one.name === name)?.value;

test("walk: nodes inside subgraphs have their host before a colon", () => {
  const { root } = nested();
  assert.deepEqual([...walk(root)].map((place) => place.id), ["1", "7", "7:3"]);
});

test("findNode: a node that is gone is null, at every depth", () => {
  const { root } = nested();
  for (const id of ["2", "7:4", "1:3", "", "7:3:1"]) assert.equal(findNode(root, id), null);
  assert.equal(findNode(root, "7:3")?.node.type, "CheckpointLoaderSimple");
});

test("holdersOf: a promoted widget is held inside and on its host", () => {
  const { root } = nested();
  const place = findNode(root, "7:3");
  assert.ok(place);
  const holders = [...holdersOf(place, "ckpt_name")].map(({ node, widget }) => `${node.id}.${widget.name}`);
  assert.deepEqual(holders, ["3.ckpt_name", "7.ckpt"]);
});

test("holdersOf: a primitive that feeds an input holds its value too", () => {
  const primitive = { id: 2, type: "PrimitiveNode", widgets: [{ name: "value", value: "old.safetensors" }] };
  const loader = {
    id: 1,
    type: "VAELoader",
    widgets: [{ name: "vae_name", value: "old.safetensors" }],
    inputs: [{ name: "vae_name", widget: { name: "vae_name" }, link: 9 }],
  };
  const graph = { _nodes: [loader, primitive], links: { 9: { origin_id: 2, origin_slot: 0 } } };
  const changes = [{ node_id: "1", input: "vae_name", from: "old.safetensors", to: "new.safetensors" }];
  assert.equal(relink(graph, changes), 2);
  assert.equal(primitive.widgets[0].value, "new.safetensors");
});

test("relink: a promoted value changes inside and outside, and nowhere else", () => {
  const { root } = nested();
  const changes = [{ node_id: "7:3", input: "ckpt_name", from: "old.safetensors", to: "new.safetensors" }];
  assert.equal(relink(root, changes), 2);
  assert.equal(valueOf(root, "7", "ckpt"), "new.safetensors");
  assert.equal(valueOf(root, "7:3", "ckpt_name"), "new.safetensors");
  assert.equal(valueOf(root, "1", "ckpt_name"), "old.safetensors");
});

test("relink: what a person has chosen meanwhile stays", () => {
  const { root } = nested();
  const widget = findNode(root, "1")?.node.widgets?.[0];
  assert.ok(widget);
  widget.value = "chosen.safetensors";
  const changes = [{ node_id: "1", input: "ckpt_name", from: "old.safetensors", to: "new.safetensors" }];
  assert.equal(relink(root, changes), 0);
  assert.equal(widget.value, "chosen.safetensors");
});

test("relink: either slash is the same name, and the list's own spelling is taken", () => {
  const widget = { name: "lora_name", value: "a/old.safetensors", options: { values: ["b\\new.safetensors"] } };
  const graph = { nodes: [{ id: 1, type: "LoraLoader", widgets: [widget] }] };
  const changes = [{ node_id: "1", input: "lora_name", from: "a\\old.safetensors", to: "b/new.safetensors" }];
  assert.equal(relink(graph, changes), 1);
  assert.equal(widget.value, "b\\new.safetensors");
});

test("relink: a name inside a loader's object is replaced, the rest of it stays", () => {
  const widget = { name: "lora_1", value: { on: true, lora: "old.safetensors", strength: 0.5 } };
  const graph = { nodes: [{ id: 1, type: "Power Lora Loader (rgthree)", widgets: [widget] }] };
  assert.equal(relink(graph, [{ node_id: "1", input: "lora", from: "old.safetensors", to: "n.safetensors" }]), 1);
  assert.deepEqual(widget.value, { on: true, lora: "n.safetensors", strength: 0.5 });
});

test("relink: a row of a LoRA stack is renamed, the other lines stay as they were written", () => {
  const text = "# mine\noff|a\\old.safetensors |0.5\nfog.safetensors\n";
  const node = { id: 1, type: "ComfyWatchmanLoRAStack", widgets: [{ name: "loras", value: text }] };
  const change = { node_id: "1", input: "loras", from: "a/old.safetensors", to: "b/new.safetensors" };
  assert.equal(relink({ nodes: [node] }, [change]), 1);
  assert.equal(node.widgets[0].value, "# mine\noff | b/new.safetensors | 0.5 | 0.5\nfog.safetensors\n");
  assert.equal(relink({ nodes: [node] }, [change]), 0);
});

test("relink: the widget's callback and the node hear of it", () => {
  /** @type {unknown[]} */
  const heard = [];
  const widget = { name: "vae_name", value: "old.pt", callback: (/** @type {unknown} */ value) => heard.push(value) };
  const node = { id: 1, type: "VAELoader", widgets: [widget], onWidgetChanged: (/** @type {string} */ name) => heard.push(name) };
  relink({ nodes: [node] }, [{ node_id: "1", input: "vae_name", from: "old.pt", to: "new.pt" }]);
  assert.deepEqual(heard, ["new.pt", "vae_name"]);
});

test("pin: foreign entries stay, and the same file's entry is brought up to date", () => {
  const others = { name: "other.safetensors", url: "https://example.org/x", directory: "vae" };
  const node = { id: 1, type: "VAELoader", properties: { models: [others, { name: "a.safetensors", url: "https://old", note: "theirs" }] } };
  const model = { name: "a.safetensors", url: "https://new", directory: "vae", hash: "00", hash_type: "SHA256" };
  assert.equal(pin({ nodes: [node] }, [{ node_id: "1", model }]), 1);
  assert.deepEqual(node.properties.models, [others, { ...model, note: "theirs" }]);
  assert.equal(pin({ nodes: [node] }, [{ node_id: "1", model }]), 0);
});

test("mergeModel: the same name for another directory is another file", () => {
  const vae = { name: "model.safetensors", directory: "vae", url: "https://a" };
  const unet = { name: "model.safetensors", directory: "diffusion_models", url: "https://b" };
  assert.deepEqual(mergeModel([vae], unet), [vae, unet]);
});

test("markOf: names, modes and links count, places and titles do not", () => {
  const { root } = nested();
  const before = markOf(root);
  const node = findNode(root, "1")?.node;
  assert.ok(node?.widgets);
  /** @type {any} */ (node).pos = [10, 10];
  node.title = "another";
  assert.equal(markOf(root), before);
  node.mode = 4;
  assert.notEqual(markOf(root), before);
  node.mode = 0;
  node.widgets[0].value = "b.safetensors";
  assert.notEqual(markOf(root), before);
});

test("markOf: what our own nodes link to counts, other words on them do not", () => {
  const widgets = [{ name: "source", value: "v:70" }, { name: "prompt", value: "a fox" }];
  const graph = { nodes: [{ id: 1, type: "ComfyWatchmanLoRALoader", widgets }] };
  const before = markOf(graph);
  widgets[1].value = "two foxes";
  assert.equal(markOf(graph), before);
  widgets[0].value = "v:71";
  assert.notEqual(markOf(graph), before);
});

test("markOf: a widget that holds what JSON cannot say names nothing", () => {
  /** @type {any} */
  const circle = {};
  circle.self = circle;
  assert.equal(markOf({ nodes: [{ id: 1, type: "X", widgets: [{ name: "a", value: circle }] }] }), "[]");
});

test("asOneChange: the end is told when the change throws", () => {
  const told = [""];
  const canvas = { emitBeforeChange: () => told.push("before"), emitAfterChange: () => told.push("after") };
  assert.throws(() => asOneChange({ canvas }, () => { throw new Error("broken"); }));
  assert.deepEqual(told.slice(1), ["before", "after"]);
});

test("locate: a node in a subgraph is shown in it", () => {
  const { root } = nested();
  /** @type {unknown[]} */
  const shown = [];
  const canvas = {
    graph: root,
    setGraph: (/** @type {unknown} */ graph) => shown.push(graph === root ? "root" : "?"),
    openSubgraph: (/** @type {any} */ graph, /** @type {any} */ host) => shown.push(`inside ${host.id}`),
    selectNode: (/** @type {any} */ node) => shown.push(node.id),
    centerOnNode() {},
  };
  assert.equal(locate({ graph: root, canvas }, "7:3"), true);
  assert.deepEqual(shown, ["root", "inside 7", 3]);
  assert.equal(locate({ graph: root, canvas }, "9"), false);
});
