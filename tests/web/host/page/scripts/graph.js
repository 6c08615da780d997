/**
 * A graph with as much of LiteGraph's surface as extensions touch: nodes, widgets, links, subgraphs with
 * promoted widgets, serialize and configure of the saved form (version 0.4). Read off the front end's
 * sources 1.27.10 to 1.58.1. It is data without drawing.
 */

const INPUT_NODE = -10;

export class Graph {
  /** @param {import("./app.js").HostApp} app @param {any} data @param {Graph | null} parent */
  constructor(app, data, parent = null) {
    this.app = app;
    this.parent = parent;
    this.data = data;
    this.inputs = (data.inputs ?? []).map((/** @type {any} */ slot) => ({ ...slot }));
    this.links = new Map((data.links ?? []).map(readLink));
    /** @type {HostNode[]} */
    this.nodes = [];
    for (const saved of data.nodes ?? []) this.nodes.push(new HostNode(this, saved));
  }

  get root() {
    return this.parent ? this.parent.root : this;
  }

  /** @param {any} id */
  getNodeById(id) {
    return this.nodes.find((node) => String(node.id) === String(id)) ?? null;
  }

  /** @param {number} id */
  getLink(id) {
    return this.links.get(id);
  }

  serialize() {
    const own = { ...this.data, nodes: this.nodes.map((node) => node.serialize()) };
    if (this.parent) return own;
    const definitions = [...this.app.definitions.values()].map((graph) => graph.serialize());
    return structuredClone(definitions.length ? { ...own, definitions: { subgraphs: definitions } } : own);
  }

  setDirtyCanvas() {
    this.app.canvas.draw();
  }
}

export class HostNode {
  /** @param {Graph} graph @param {any} saved */
  constructor(graph, saved) {
    this.graph = graph;
    this.saved = saved;
    this.id = saved.id;
    this.type = saved.type;
    this.title = saved.title ?? saved.type;
    this.mode = saved.mode ?? 0;
    this.pos = saved.pos ?? [0, 0];
    this.size = saved.size ?? [200, 80];
    this.properties = structuredClone(saved.properties ?? {});
    this.inputs = (saved.inputs ?? []).map((/** @type {any} */ slot) => ({ ...slot }));
    /** @type {any[]} */
    this.widgets = [];
    /** @type {Graph | undefined} */
    this.subgraph = graph.app.definitions.get(saved.type);
    if (this.subgraph) this.#promote();
    else this.#makeWidgets();
  }

  isSubgraphNode() {
    return this.subgraph !== undefined;
  }

  /** @param {string} type @param {string} name @param {unknown} value @param {any} callback @param {any} options */
  addWidget(type, name, value, callback = undefined, options = {}) {
    const widget = { type, name, value, callback, options, node: this };
    this.widgets.push(widget);
    return widget;
  }

  /** @param {string} name @param {string} type @param {HTMLElement} element @param {any} options */
  addDOMWidget(name, type, element, options = {}) {
    const widget = {
      type,
      name,
      element,
      options,
      node: this,
      get value() {
        return options.getValue?.();
      },
      set value(value) {
        options.setValue?.(value);
      },
    };
    this.widgets.push(widget);
    return widget;
  }

  setDirtyCanvas() {
    this.graph.app.canvas.draw();
  }

  #makeWidgets() {
    const inputs = this.graph.app.inputsOf(this.type);
    const values = this.saved.widgets_values ?? [];
    let at = 0;
    for (const [name, spec] of inputs) {
      if (!Array.isArray(spec[0]) && !["STRING", "INT", "FLOAT", "BOOLEAN", "COMBO"].includes(spec[0])) continue;
      const list = Array.isArray(spec[0]) ? spec[0] : spec[1]?.options;
      const initial = at < values.length ? values[at] : (spec[1]?.default ?? list?.[0] ?? null);
      at += 1;
      this.addWidget(list ? "combo" : spec[0].toLowerCase(), name, initial, undefined, list ? { values: list } : {});
    }
    if (!inputs.length) {
      // a node of an unknown pack keeps its values, as the front end keeps them
      this.unknown = true;
    }
  }

  /** Copies of the inner widgets that the definition's inputs feed, with values of their own. */
  #promote() {
    const inner = /** @type {Graph} */ (this.subgraph);
    const values = this.saved.widgets_values ?? [];
    let at = 0;
    for (const slot of inner.inputs) {
      const widget = inner.nodes
        .flatMap((node) => node.inputs.map((/** @type {any} */ input) => ({ node, input })))
        .filter(({ input }) => input.link != null && (slot.linkIds ?? []).includes(input.link))
        .map(({ node, input }) => node.widgets.find((one) => one.name === (input.widget?.name ?? input.name)))
        .find(Boolean);
      if (!widget) continue;
      const value = at < values.length ? values[at] : widget.value;
      at += 1;
      const copy = this.addWidget(widget.type, slot.name, value, undefined, widget.options);
      Object.defineProperty(copy, "options", { get: () => widget.options });
      const input = this.inputs.find((/** @type {any} */ one) => one.name === slot.name);
      if (input) input.widget = { name: slot.name };
      else this.inputs.push({ name: slot.name, type: slot.type, link: null, widget: { name: slot.name } });
    }
  }

  serialize() {
    const { widgets_values: _, ...rest } = this.saved;
    const saved = { ...rest, mode: this.mode, properties: structuredClone(this.properties), inputs: this.inputs };
    if (this.unknown) return { ...saved, widgets_values: this.saved.widgets_values };
    const kept = this.widgets.filter((widget) => widget.options?.serialize !== false && widget.serialize !== false);
    return kept.length ? { ...saved, widgets_values: kept.map((widget) => widget.value) } : saved;
  }
}

/** @param {any} link @returns {[number, any]} */
function readLink(link) {
  if (!Array.isArray(link)) return [link.id, link];
  const [id, origin_id, origin_slot, target_id, target_slot, type] = link;
  return [id, { id, origin_id, origin_slot, target_id, target_slot, type }];
}

export { INPUT_NODE };
