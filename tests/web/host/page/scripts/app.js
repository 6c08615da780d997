/**
 * The project's own host page: what extensions import as `scripts/app.js`, with the surface and the order
 * of events that ComfyUI's front end has (registerExtension, hooks, extensionManager, change tracker,
 * graph loading, combo refresh, queueing). Nothing of it is ComfyUI's code.
 */

import { api } from "./api.js";
import { Graph } from "./graph.js";
import { ExtensionManager } from "./manager.js";

/** The last graph state is kept here, as the front end keeps a draft: a reload opens it again. */
const DRAFT = "host.draft";

export class HostApp {
  constructor() {
    /** @type {any[]} */
    this.extensions = [];
    /** @type {Map<string, Graph>} */
    this.definitions = new Map();
    /** @type {Record<string, any>} */
    this.defs = {};
    this.canvas = new HostCanvas(this);
    this.extensionManager = new ExtensionManager(this);
    this.tracker = new ChangeTracker(this);
    this.refreshes = 0;
    /** @type {Graph} */
    this.rootGraph = new Graph(this, { version: 0.4, nodes: [], links: [] });
    /** @type {Record<string, any> | null} */
    this.lastNodeErrors = null;
  }

  get graph() {
    return this.canvas.graph ?? this.rootGraph;
  }

  /** @param {any} extension */
  registerExtension(extension) {
    this.extensions.push(extension);
    this.extensionManager.adopt(extension);
  }

  /** @param {string} hook @param {...any} given */
  async invoke(hook, ...given) {
    for (const extension of this.extensions) {
      try {
        await extension[hook]?.(...given, this);
      } catch (fault) {
        console.error(`extension ${extension.name}, ${hook}:`, fault);
      }
    }
  }

  /** Called by the page once all extensions are imported. */
  async start() {
    await this.#readDefs();
    api.connect();
    await this.invoke("init");
    await this.invoke("addCustomNodeDefs", this.defs);
    for (const [name, def] of Object.entries(this.defs)) {
      const nodeType = class {};
      await this.invoke("beforeRegisterNodeDef", nodeType, { name, ...def });
    }
    await this.invoke("registerCustomNodes");
    await this.invoke("setup");
    const draft = sessionStorage.getItem(DRAFT);
    await this.loadGraphData(draft ? JSON.parse(draft) : { version: 0.4, nodes: [], links: [] }, true, true, null);
    document.body.dataset.ready = "yes";
  }

  async #readDefs() {
    const answer = await api.fetchApi("/object_info");
    this.defs = await answer.json();
  }

  /** @param {string} type @returns {[string, any][]} */
  inputsOf(type) {
    const input = this.defs[type]?.input ?? {};
    return [...Object.entries(input.required ?? {}), ...Object.entries(input.optional ?? {})];
  }

  /** @param {any} data @param {boolean} clean @param {boolean} view @param {string | null} name */
  async loadGraphData(data, clean = true, view = true, name = null) {
    const saved = structuredClone(data);
    await this.invoke("beforeConfigureGraph", saved, []);
    this.configure(saved);
    for (const node of this.rootGraph.nodes) await this.invoke("loadedGraphNode", node);
    await this.invoke("afterConfigureGraph", []);
    this.extensionManager.workflow.open(name ?? "Unsaved Workflow"); // only now, as in ComfyUI
    this.tracker.reset();
    this.canvas.draw();
  }

  /** @param {any} saved */
  configure(saved) {
    const definitions = saved.definitions?.subgraphs ?? [];
    this.definitions = new Map();
    // inner definitions come first in the file where others use them; go over them until all are made
    let left = [...definitions];
    const root = new Graph(this, { ...saved, nodes: [], links: [] });
    while (left.length) {
      const ids = new Set(left.map((one) => one.id));
      const ready = left.filter((one) => !one.nodes.some((/** @type {any} */ node) => ids.has(node.type)));
      if (!ready.length) break;
      for (const one of ready) this.definitions.set(one.id, new Graph(this, one, root));
      left = left.filter((one) => !ready.includes(one));
    }
    this.rootGraph = new Graph(this, saved);
    this.canvas.graph = this.rootGraph;
    for (const graph of [this.rootGraph, ...this.definitions.values()]) {
      for (const node of graph.nodes) void this.invoke("nodeCreated", node);
    }
  }

  /** The API form: nodes are made of it, and no hook is called, as in the front end up to 1.49. */
  /** @param {any} prompt @param {string} name */
  async loadApiJson(prompt, name) {
    const nodes = Object.entries(prompt).map(([id, node], at) => ({
      id: Number(id),
      type: node.class_type,
      pos: [at * 240, 0],
      widgets_values: this.inputsOf(node.class_type)
        .filter(([, spec]) => Array.isArray(spec[0]) || ["STRING", "INT", "FLOAT", "BOOLEAN", "COMBO"].includes(spec[0]))
        .map(([key]) => (Array.isArray(node.inputs[key]) ? null : (node.inputs[key] ?? null))),
    }));
    this.extensionManager.workflow.open(name);
    this.configure({ version: 0.4, nodes, links: [] });
    this.tracker.reset();
    this.canvas.draw();
  }

  /** @param {File} file */
  async handleFile(file) {
    const name = file.name.replace(/\.[^.]+$/, "");
    if (file.type === "application/json" || file.name.endsWith(".json")) {
      const data = JSON.parse(await file.text());
      return data.nodes ? this.loadGraphData(data, true, true, name) : this.loadApiJson(data, name);
    }
    const texts = readPngTexts(new Uint8Array(await file.arrayBuffer()));
    if (texts.workflow) return this.loadGraphData(JSON.parse(texts.workflow), true, true, name);
    if (texts.prompt) return this.loadApiJson(JSON.parse(texts.prompt), name);
    this.extensionManager.toast.add({ severity: "warn", summary: "No workflow in this file", life: 3000 });
  }

  async refreshComboInNodes() {
    this.refreshes += 1;
    await this.#readDefs();
    for (const graph of [this.rootGraph, ...this.definitions.values()]) {
      for (const node of graph.nodes) {
        const inputs = new Map(this.inputsOf(node.type));
        for (const widget of node.widgets) {
          const spec = inputs.get(widget.name);
          if (widget.type === "combo" && spec) widget.options.values = Array.isArray(spec[0]) ? spec[0] : spec[1].options;
        }
      }
    }
    await this.invoke("refreshComboInNodes", this.defs);
    this.canvas.draw();
  }

  async refreshMissingModels() {
    await this.refreshComboInNodes();
  }

  async graphToPrompt() {
    /** @type {Record<string, any>} */
    const output = {};
    /** @param {Graph} graph @param {string} path @param {Map<string, unknown>} given */
    const add = (graph, path, given) => {
      for (const node of graph.nodes) {
        if (node.mode === 2 || node.mode === 4) continue;
        if (node.subgraph) {
          const values = new Map(node.widgets.map((widget) => [widget.name, widget.value]));
          add(node.subgraph, `${path}${node.id}:`, values);
          continue;
        }
        const inputs = Object.fromEntries(
          node.widgets.map((widget) => {
            const slot = node.inputs.find((/** @type {any} */ one) => one.widget?.name === widget.name);
            const link = slot?.link == null ? null : graph.links.get(slot.link);
            const outer = link && String(link.origin_id) === "-10" ? graph.inputs[link.origin_slot]?.name : null;
            return [widget.name, outer && given.has(outer) ? given.get(outer) : widget.value];
          }),
        );
        output[`${path}${node.id}`] = { class_type: node.type, inputs };
      }
    };
    add(this.rootGraph, "", new Map());
    return { workflow: this.rootGraph.serialize(), output };
  }

  /** @param {number} number @param {number} batchCount */
  async queuePrompt(number, batchCount = 1) {
    api.dispatchCustomEvent("promptQueueing", { requestId: Date.now(), batchCount });
    this.lastNodeErrors = null;
    const { output, workflow } = await this.graphToPrompt();
    const body = JSON.stringify({ client_id: api.clientId, prompt: output, extra_data: { extra_pnginfo: { workflow } } });
    const answer = await api.fetchApi("/prompt", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const told = await answer.json();
    if (answer.ok) {
      api.dispatchCustomEvent("promptQueued", { number, batchCount });
      return true;
    }
    this.lastNodeErrors = told.node_errors ?? {};
    this.extensionManager.toast.add({ severity: "error", summary: "The prompt was refused", life: 4000 });
    this.canvas.draw();
    return false;
  }

  /** @param {any} node */
  collectNodeMenuItems(node) {
    return this.extensions.flatMap((extension) => extension.getNodeMenuItems?.(node) ?? []);
  }

  collectCanvasMenuItems() {
    return this.extensions.flatMap((extension) => extension.getCanvasMenuItems?.(this.canvas) ?? []);
  }
}

/** Undo by whole states, with the two events of the canvas that make several changes one. */
class ChangeTracker {
  /** @param {HostApp} app */
  constructor(app) {
    this.app = app;
    this.depth = 0;
    /** @type {string[]} */
    this.undoQueue = [];
    this.active = "";
  }

  reset() {
    this.active = JSON.stringify(this.app.rootGraph.serialize());
    this.undoQueue = [];
    sessionStorage.setItem(DRAFT, this.active);
  }

  before() {
    this.depth += 1;
  }

  after() {
    this.depth -= 1;
    if (this.depth === 0) this.check();
  }

  check() {
    if (this.depth > 0) return;
    const state = JSON.stringify(this.app.rootGraph.serialize());
    if (state === this.active) return;
    this.undoQueue.push(this.active);
    this.active = state;
    sessionStorage.setItem(DRAFT, state);
    api.dispatchCustomEvent("graphChanged", JSON.parse(state));
  }

  undo() {
    const state = this.undoQueue.pop();
    if (state === undefined) return false;
    this.active = state;
    this.app.configure(JSON.parse(state));
    sessionStorage.setItem(DRAFT, state);
    api.dispatchCustomEvent("graphChanged", JSON.parse(state));
    this.app.canvas.draw();
    return true;
  }
}

class HostCanvas {
  /** @param {HostApp} app */
  constructor(app) {
    this.app = app;
    /** @type {Graph | null} */
    this.graph = null;
    /** @type {any[]} */
    this.selected = [];
    /** @type {any} */
    this.centred = null;
  }

  emitBeforeChange() {
    this.app.tracker.before();
  }

  emitAfterChange() {
    this.app.tracker.after();
  }

  /** @param {Graph} graph */
  setGraph(graph) {
    this.graph = graph;
    this.draw();
  }

  /** @param {Graph} subgraph */
  openSubgraph(subgraph) {
    this.setGraph(subgraph);
  }

  /** @param {any} node */
  selectNode(node) {
    this.selected = [node];
    this.draw();
  }

  /** @param {any} node */
  centerOnNode(node) {
    this.centred = node;
    this.draw();
  }

  setDirty() {
    this.draw();
  }

  /** Nodes are drawn as plain boxes, so that a person and a screenshot see what is missing. */
  draw() {
    const place = document.getElementById("canvas");
    if (!place || !this.graph) return;
    const errors = this.app.lastNodeErrors ?? {};
    const boxes = this.graph.nodes.map((node) => {
      const box = document.createElement("div");
      box.className = "node";
      box.dataset.id = String(node.id);
      box.classList.toggle("selected", this.selected.includes(node));
      box.classList.toggle("muted", node.mode === 2 || node.mode === 4);
      const isMissing = node.widgets.some((widget) => isMissingFile(widget));
      box.classList.toggle("missing", isMissing || String(node.id) in errors);
      const title = document.createElement("strong");
      title.textContent = node.title;
      box.append(title);
      for (const widget of node.widgets) {
        if (widget.element) {
          box.append(widget.element);
          continue;
        }
        const row = document.createElement("div");
        row.className = "widget";
        const name = document.createElement("span");
        name.textContent = widget.name;
        const value = document.createElement("code");
        value.textContent = String(widget.value ?? "");
        row.append(name, value);
        box.append(row);
      }
      box.addEventListener("contextmenu", (event) => {
        event.preventDefault();
        this.app.extensionManager.showMenu(event, this.app.collectNodeMenuItems(node));
      });
      return box;
    });
    place.replaceChildren(...boxes);
  }
}

/** @param {any} widget */
function isMissingFile(widget) {
  const values = widget.options?.values;
  return (
    widget.type === "combo" &&
    typeof widget.value === "string" &&
    /\.(safetensors|ckpt|pt|pth|bin|sft|gguf|onnx)$/i.test(widget.value) &&
    Array.isArray(values) &&
    !values.includes(widget.value)
  );
}

/** @param {Uint8Array} bytes @returns {Record<string, string>} */
function readPngTexts(bytes) {
  /** @type {Record<string, string>} */
  const texts = {};
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const size = view.getUint32(at);
    const kind = new TextDecoder("latin1").decode(bytes.subarray(at + 4, at + 8));
    if (kind === "tEXt") {
      const body = bytes.subarray(at + 8, at + 8 + size);
      const split = body.indexOf(0);
      texts[new TextDecoder("latin1").decode(body.subarray(0, split))] = new TextDecoder("utf-8").decode(body.subarray(split + 1));
    }
    at += 12 + size;
  }
  return texts;
}

export const app = new HostApp();
