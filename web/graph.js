/**
 * The only reader of the live graph: nodes (also inside subgraphs), the widgets that hold a value, and showing
 * a node on the canvas. `edits.js` changes it.
 *
 * An id is "12", or "7:3" for node 3 inside the subgraph of host 7, as in the API prompt and in the
 * server's references. Read in the front end's sources 1.27.10, 1.49.6 and 1.58.1: a promoted value is
 * held by the host's widget (a copy of its own since 1.49); the inner widget keeps what was saved.
 */

/** The id of a subgraph's own input node (LiteGraph's SUBGRAPH_INPUT_ID). */
const INPUT_NODE = "-10";
/** Nodes that only hand on what is written in their first widget. */
const HOLDERS = new Set(["PrimitiveNode", "PrimitiveString"]);
export const MODEL_FILE = /\.(safetensors|sft|ckpt|pth?|bin|gguf|onnx|pkl|patch|torchscript)$/i;
const NAMES_IN_TEXT = /embedding:|<lora:/i;
const DEEPEST = 32;
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
