/**
 * The only reader of the live graph: nodes (also inside subgraphs), the widgets that hold a value,
 * relinking, pinning, and showing a node on the canvas.
 *
 * An id is "12", or "7:3" for node 3 inside the subgraph of host 7, as in the API prompt and in the
 * server's references. Read in the front end's sources 1.27.10, 1.49.6 and 1.58.1: a promoted value is
 * held by the host's widget (a copy of its own since 1.49); the inner widget keeps what was saved.
 */

import { renameRows } from "./nodes/stack.js";

/** The id of a subgraph's own input node (LiteGraph's SUBGRAPH_INPUT_ID). */
const INPUT_NODE = "-10";
/** Nodes that only hand on what is written in their first widget. */
const HOLDERS = new Set(["PrimitiveNode", "PrimitiveString"]);
export const MODEL_FILE = /\.(safetensors|sft|ckpt|pth?|bin|gguf|onnx|pkl|patch|torchscript)$/i;
const NAMES_IN_TEXT = /embedding:|<lora:/i;
const DEEPEST = 32;
const STACK = "ComfyWatchmanLoRAStack";
/** Inputs of our nodes that name models by more than files. */
const LINKED = new Set(["source", "pinned", "loras"]);

/**
 * @typedef {object} LiveWidget
 * @property {string} name
 * @property {unknown} value
 * @property {string} [type]
 * @property {{values?: unknown}} [options]
 * @property {(value: unknown, canvas?: unknown, node?: unknown) => unknown} [callback]
 *
 * @typedef {object} LiveSlot
 * @property {string} name
 * @property {{name: string}} [widget]
 * @property {number | null} [link]
 *
 * @typedef {object} ModelEntry an entry of `properties.models`, as the front end reads it
 * @property {string} name
 * @property {string} [url]
 * @property {string} [directory]
 * @property {string} [hash]
 * @property {string} [hash_type]
 *
 * @typedef {object} LiveNode
 * @property {string | number} id
 * @property {string} type
 * @property {string} [title]
 * @property {number} [mode]
 * @property {LiveWidget[]} [widgets]
 * @property {LiveSlot[]} [inputs]
 * @property {Record<string, unknown>} [properties]
 * @property {LiveGraph} [subgraph]
 * @property {(slot: number) => LiveLink | null | undefined} [getInputLink]
 * @property {(slot: number) => boolean} [isInputConnected]
 * @property {(background: boolean, foreground: boolean) => void} [setDirtyCanvas]
 * @property {(name: string, value: unknown, old: unknown, widget: LiveWidget) => void} [onWidgetChanged]
 *
 * @typedef {{origin_id: string | number, origin_slot: number}} LiveLink
 *
 * @typedef {object} LiveGraph
 * @property {LiveNode[]} [nodes]
 * @property {LiveNode[]} [_nodes]
 * @property {LiveSlot[]} [inputs] of a subgraph
 * @property {(id: number) => LiveLink | null | undefined} [getLink]
 * @property {Map<number, LiveLink> | Record<number, LiveLink>} [links]
 * @property {() => object} [serialize]
 *
 * @typedef {object} Place where a node is
 * @property {string} id
 * @property {LiveNode} node
 * @property {LiveGraph} graph the one it stands in
 * @property {{node: LiveNode, graph: LiveGraph}[]} hosts from the root inwards
 *
 * @typedef {object} Relink what a widget says now, and what it shall say
 * @property {string} node_id
 * @property {string} input
 * @property {string} from
 * @property {string} to
 */

/**
 * The root graph of any front end; `app.graph` is the name before 1.28.
 * @param {{rootGraph?: LiveGraph, graph?: LiveGraph}} app
 * @returns {LiveGraph | null}
 */
export function rootOf(app) {
  return app.rootGraph ?? app.graph ?? null;
}

/**
 * Every node, those inside subgraphs once for each host.
 * @param {LiveGraph} graph
 * @param {string} [path]
 * @param {Place["hosts"]} [hosts]
 * @returns {Generator<Place>}
 */
export function* walk(graph, path = "", hosts = []) {
  for (const node of graph.nodes ?? graph._nodes ?? []) {
    const id = `${path}${node.id}`;
    yield { id, node, graph, hosts };
    if (node.subgraph && hosts.length < DEEPEST) {
      yield* walk(node.subgraph, `${id}:`, [...hosts, { node, graph }]);
    }
  }
}

/**
 * Where a node is, or null when it is gone.
 * @param {LiveGraph} root
 * @param {string} id
 * @returns {Place | null}
 */
export function findNode(root, id) {
  const steps = id.split(":");
  let graph = root;
  /** @type {Place["hosts"]} */
  const hosts = [];
  for (const [at, step] of steps.entries()) {
    const node = (graph.nodes ?? graph._nodes ?? []).find((n) => String(n.id) === step);
    if (!node) return null;
    if (at === steps.length - 1) return { id, node, graph, hosts };
    if (!node.subgraph) return null;
    hosts.push({ node, graph });
    graph = node.subgraph;
  }
  return null;
}

/**
 * The widgets that hold the value of one input, from the node outwards: its own, and, where it is
 * promoted, those of its hosts; the outermost counts. A primitive that feeds it comes last.
 * @param {Place} place
 * @param {string} input
 * @returns {Generator<{node: LiveNode, widget: LiveWidget}>}
 */
export function* holdersOf(place, input) {
  let { node, graph } = place;
  const hosts = [...place.hosts];
  let name = input;
  for (let hop = 0; hop < DEEPEST; hop++) {
    for (const widget of widgetsNamed(node, name)) yield { node, widget };
    const link = linkInto(node, graph, name);
    if (!link) return;
    if (String(link.origin_id) === INPUT_NODE) {
      const host = hosts.pop();
      const slot = graph.inputs?.[link.origin_slot];
      if (!host || !slot) return;
      ({ node, graph } = host);
      name = slot.name;
      continue;
    }
    const source = (graph.nodes ?? graph._nodes ?? []).find((n) => String(n.id) === String(link.origin_id));
    if (source && HOLDERS.has(source.type)) {
      for (const widget of source.widgets?.slice(0, 1) ?? []) yield { node: source, widget };
      return;
    }
    const fed = source?.inputs?.[0];
    if (!source || !fed || !/^reroute/i.test(source.type)) return;
    node = source;
    name = fed.name;
  }
}

/**
 * Point widgets at other names; returns how many were changed. Only what still says `from` is touched.
 * Call it inside `asOneChange`.
 * @param {LiveGraph} root
 * @param {Iterable<Relink>} changes
 * @returns {number}
 */
export function relink(root, changes) {
  let changed = 0;
  for (const { node_id: id, input, from, to } of changes) {
    const place = findNode(root, id);
    if (!place) continue;
    const rename = place.node.type === STACK ? renameRows : replaceName;
    for (const { node, widget } of holdersOf(place, input)) {
      const value = rename(/** @type {any} */ (widget.value), from, spell(widget, to));
      if (value === widget.value) continue;
      setValue(node, widget, value);
      changed += 1;
    }
  }
  return changed;
}

/**
 * Set a widget as if a person had.
 * @param {LiveNode} node
 * @param {LiveWidget} widget
 * @param {unknown} value
 */
export function setValue(node, widget, value) {
  const old = widget.value;
  widget.value = value;
  widget.callback?.(value, undefined, node);
  node.onWidgetChanged?.(widget.name, value, old, widget);
  node.setDirtyCanvas?.(true, true);
}

/**
 * Write sources into the nodes' `properties.models`; returns how many nodes were changed. What others
 * wrote stays; the entry for the same name and directory is brought up to date.
 * @param {LiveGraph} root
 * @param {Iterable<{node_id: string, model: ModelEntry}>} entries
 * @returns {number}
 */
export function pin(root, entries) {
  let changed = 0;
  for (const { node_id: id, model } of entries) {
    const node = findNode(root, id)?.node;
    if (!node) continue;
    node.properties ??= {};
    const before = Array.isArray(node.properties.models) ? node.properties.models : [];
    const models = mergeModel(before, model);
    if (JSON.stringify(models) === JSON.stringify(before)) continue;
    node.properties.models = models;
    node.setDirtyCanvas?.(true, true);
    changed += 1;
  }
  return changed;
}

/**
 * @param {ModelEntry[]} entries
 * @param {ModelEntry} model
 * @returns {ModelEntry[]}
 */
export function mergeModel(entries, model) {
  /** @param {ModelEntry} entry */
  const isSame = (entry) =>
    entry?.name === model.name && (!entry.directory || entry.directory === model.directory);
  const at = entries.findIndex(isSame);
  if (at < 0) return [...entries, model];
  return entries.map((entry, index) => (index === at ? { ...entry, ...model } : entry));
}

/**
 * One step for undo, in every front end: its change tracker counts these two events of the canvas.
 * @template T
 * @param {{canvas?: {emitBeforeChange?: () => void, emitAfterChange?: () => void}}} app
 * @param {() => T} change
 * @returns {T}
 */
export function asOneChange(app, change) {
  app.canvas?.emitBeforeChange?.();
  try {
    return change();
  } finally {
    app.canvas?.emitAfterChange?.();
  }
}

/**
 * Show a node: enter its subgraph, select it, bring it to the middle. False when it is gone.
 * @param {any} app
 * @param {string} id
 * @returns {boolean}
 */
export function locate(app, id) {
  const root = rootOf(app);
  const place = root && findNode(root, id);
  const canvas = app.canvas;
  if (!root || !place || !canvas) return false;
  if (canvas.graph !== place.graph) {
    canvas.setGraph?.(root);
    for (const { node } of place.hosts) canvas.openSubgraph?.(node.subgraph, node);
  }
  canvas.selectNode?.(place.node, false);
  canvas.centerOnNode?.(place.node);
  canvas.setDirty?.(true, true);
  return true;
}

/**
 * What of the graph can change which models it needs; equal marks need no new look.
 * @param {LiveGraph} root
 * @returns {string}
 */
export function markOf(root) {
  const marks = [];
  for (const { id, node } of walk(root)) {
    const isOurs = String(node.type).startsWith("ComfyWatchman");
    const names = (node.widgets ?? [])
      .map(({ name, value }) => (isOurs && LINKED.has(name) ? String(value ?? "") : namesIn(value)))
      .filter((text) => text !== "");
    const fed = (node.inputs ?? []).filter((slot, at) => slot.widget && isFed(node, at)).map((slot) => slot.name);
    if (names.length || fed.length) marks.push([id, node.type, node.mode ?? 0, names, fed]);
  }
  return JSON.stringify(marks);
}

/**
 * The workflow as the front end would save it. The server reads this form best: it follows links,
 * subgraphs and muted nodes, and needs no node definitions.
 * @param {LiveGraph} root
 * @returns {object | null}
 */
export function workflowOf(root) {
  return root.serialize?.() ?? null;
}

/**
 * The inputs of one node that name model files.
 * @param {LiveNode} node
 * @returns {LiveWidget[]}
 */
export function modelWidgets(node) {
  return (node.widgets ?? []).filter((widget) => typeof widget.value === "string" && MODEL_FILE.test(widget.value));
}

/**
 * The id of a node that stands in the graph the canvas shows now.
 * @param {LiveGraph} root
 * @param {LiveNode} node
 * @returns {string | null}
 */
export function idOf(root, node) {
  for (const place of walk(root)) if (place.node === node) return place.id;
  return null;
}

/** A name with one kind of slash. @param {string} name */
const plain = (name) => name.replaceAll("\\", "/");

/** @param {LiveNode} node @param {string} name */
function widgetsNamed(node, name) {
  const named = (node.widgets ?? []).filter((widget) => widget.name === name);
  return named.length || hasSlot(node, name) ? named : (node.widgets ?? []);
}

/** @param {LiveNode} node @param {string} name */
function hasSlot(node, name) {
  return (node.inputs ?? []).some((slot) => slot.name === name);
}

/** @param {LiveNode} node @param {LiveGraph} graph @param {string} name @returns {LiveLink | null} */
function linkInto(node, graph, name) {
  const at = (node.inputs ?? []).findIndex((slot) => slot.widget?.name === name || slot.name === name);
  if (at < 0 || !isFed(node, at)) return null;
  // `link` is deprecated in 1.58; but on a subgraph's host getInputLink means the link of an output inside
  if (node.getInputLink && !node.subgraph) return node.getInputLink(at) ?? null;
  const slot = (node.inputs ?? [])[at];
  if (slot?.link == null) return null;
  const { links } = graph;
  const found = graph.getLink?.(slot.link) ?? (links instanceof Map ? links.get(slot.link) : links?.[slot.link]);
  return found ?? null;
}

/** @param {LiveNode} node @param {number} at */
function isFed(node, at) {
  return node.isInputConnected ? node.isInputConnected(at) : node.inputs?.[at].link != null;
}

/**
 * A value with one name replaced, also inside the objects that some loaders keep in a widget.
 * @param {unknown} value @param {string} from @param {string} to @returns {unknown}
 */
function replaceName(value, from, to) {
  if (typeof value === "string") return plain(value) === plain(from) ? to : value;
  if (typeof value !== "object" || value === null) return value;
  /** @type {[string, unknown][]} */
  const entries = Object.entries(value).map(([key, inner]) => [key, replaceName(inner, from, to)]);
  if (entries.every(([key, inner]) => inner === /** @type {any} */ (value)[key])) return value;
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

/** The name as the widget's own list spells it (Windows lists have backslashes). @param {LiveWidget} widget @param {string} name */
function spell(widget, name) {
  const values = widget.options?.values;
  const list = Array.isArray(values) ? values : [];
  return list.find((entry) => typeof entry === "string" && plain(entry) === plain(name)) ?? name;
}

/** @param {unknown} value @returns {string} */
function namesIn(value) {
  if (typeof value === "string") return MODEL_FILE.test(value) || NAMES_IN_TEXT.test(value) ? value : "";
  return typeof value === "object" && value !== null && !ArrayBuffer.isView(value) ? safely(value) : "";
}

/** @param {object} value */
function safely(value) {
  try {
    return JSON.stringify(value)?.slice(0, 4096) ?? "";
  } catch {
    return ""; // a widget may hold what JSON cannot say (DOM, circles): it names no file
  }
}
