// A flow between a hand-made front end and a hand-made server, for tests without a browser.
//
//     const stage = new FlowStage({ missing: ["a.safetensors"] });
//     await stage.flow.connect();
//     await stage.flow.loaded();        stage.asked → ["GET status", …, "POST inspections", "POST plans"]
//     await stage.arrive("a.safetensors");

import { Api } from "../../web/api.js";
import { NamedFetches } from "../../web/bridge.js";
import { Flow } from "../../web/flow.js";
import { Store } from "../../web/store.js";
import { Wiring } from "../../web/wiring.js";
import { STATUS, candidate, item, plan, transfer } from "./fixtures.js";

const TIMES = { delay: 5, beat: 40, patience: 500, pause: 5, silence: 60 };

/** Let everything that is due happen. */
export const rest = (time = 30) => new Promise((resolve) => setTimeout(resolve, time));

/** ComfyUI's front end as the flow uses it. */
class HandMadeFront {
  constructor() {
    this.workflow = { key: "w", name: "a" };
    /** @type {{ key: string, name: string } | null} */
    this.opening = null;
    /** @type {Record<string, string>} what the widget of each node says, by the node's id */
    this.widgets = {};
    /** @type {[string, unknown][]} */
    this.done = [];
    this.answer = true;
    this.isRefused = false;
    this.isPanelOpen = false;
    /** @type {Record<string, unknown>} */
    this.settings = {};
    this.clipboard = "";
  }

  /** What opens a graph tells so before its workflow is the active one. */
  async settle() {
    if (this.opening) this.workflow = this.opening;
    this.opening = null;
  }

  mark() {
    return JSON.stringify(this.widgets);
  }

  document() {
    return { nodes: Object.entries(this.widgets) };
  }

  /** @param {string} what */
  count(what) {
    return this.done.filter(([name]) => name === what).length;
  }

  /** @param {{ node_id: string, from: string, to: string }[]} changes */
  relink(changes) {
    const valid = changes.filter(({ node_id, from }) => this.widgets[node_id] === from);
    for (const { node_id, to } of valid) this.widgets[node_id] = to;
    this.done.push(["relink", valid.length]);
    return valid.length;
  }

  /** @param {unknown[]} entries */
  pin(entries) {
    this.done.push(["pin", entries]);
    return entries.length;
  }

  /** @param {unknown} notice */
  notify(notice) {
    this.done.push(["notify", notice]);
  }

  /** @param {unknown} notice */
  notifyWithWay(notice) {
    this.notify(notice);
  }

  /** @param {unknown} question */
  async ask(question) {
    this.done.push(["ask", question]);
    return this.answer;
  }

  /** @param {string} text */
  async copy(text) {
    this.clipboard = text;
    return true;
  }

  /** @param {string} id */
  setting(id) {
    return this.settings[id];
  }

  async refreshLists() {
    this.done.push(["refreshLists", null]);
  }

  async refreshMarks() {
    this.done.push(["refreshMarks", null]);
  }

  async openPanel() {
    this.isPanelOpen = true;
  }

  async run() {
    this.done.push(["run", null]);
  }

  wasRefused() {
    return this.isRefused;
  }

  /** @param {number} count */
  badge(count) {
    this.done.push(["badge", count]);
  }

  /** @param {string} id */
  locate(id) {
    this.done.push(["locate", id]);
  }
}

export class FlowStage {
  /** @type {FlowStage[]} */
  static #all = [];

  /** End all: with its server gone a page asks nothing by itself. */
  static closeAll() {
    for (const stage of FlowStage.#all.splice(0)) stage.isDown = true;
  }

  /** @param {{ missing?: string[], fetch_certain?: boolean | null, stage?: string, kept?: Record<string, string> }} how */
  constructor({ missing = [], fetch_certain = null, stage = "done", kept = {} } = {}) {
    this.front = new HandMadeFront();
    missing.forEach((name, at) => (this.front.widgets[String(at + 1)] = name));
    /** @type {Set<string>} names of files that are here */
    this.here = new Set();
    /** @type {Record<string, any>} by id */
    this.transfers = {};
    this.stage = stage;
    this.status = { ...STATUS, fetch_certain };
    this.isDown = false;
    /** @type {import("../../web/types.js").Fault | null} what is said to every call */
    this.refusal = null;
    /** @type {[string, any][]} */
    this.calls = [];
    this.plans = 0;
    /** @type {string[]} of every file that is here */
    this.words = [];
    this.kept = kept;
    /** @type {Partial<import("../../web/types.js").Candidate>} of every candidate */
    this.facts = {};
    this.flow = this.#make();
    FlowStage.#all.push(this);
  }

  #make() {
    const memory = {
      getItem: (/** @type {string} */ key) => this.kept[key] ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => void (this.kept[key] = value),
    };
    this.store = new Store();
    this.api = new Api((path, init) => this.#answer(path, init));
    this.wiring = new Wiring(this.api, this.store, { memory });
    const parts = { api: this.api, wiring: this.wiring, store: this.store, times: TIMES };
    const flow = new Flow(/** @type {any} */ ({ ...parts, front: this.front, session: memory }));
    this.named = new NamedFetches(/** @type {any} */ ({ flow, front: this.front, gathering: 5 }));
    return flow;
  }

  /** The same page after a reload. */
  reload() {
    this.flow = this.#make();
  }

  get asked() {
    return this.calls.map(([call]) => call);
  }

  /** @param {string} call */
  count(call) {
    return this.asked.filter((one) => one === call).length;
  }

  /** @param {string} path @param {RequestInit} init */
  async #answer(path, init) {
    if (this.isDown) throw new TypeError("no such server");
    const call = `${init.method} ${path.replace("/comfywatchman/v1/", "")}`;
    const body = init.body ? JSON.parse(String(init.body)) : undefined;
    this.calls.push([call, body]);
    if (this.refusal) return new Response(JSON.stringify({ error: this.refusal }), { status: 403 });
    const answer = this.#give(call, body);
    if (answer !== null) return new Response(JSON.stringify(answer));
    return new Response(JSON.stringify({ error: { code: "plan-gone", message: "gone", hint: null } }), { status: 404 });
  }

  /** @param {string} call @param {any} body @returns {any} */
  #give(call, body) {
    if (call === "GET status") return this.status;
    if (call === "GET settings") return { settings: [] };
    if (call === "GET transfers") return { transfers: Object.values(this.transfers), paused: false, speed: 0 };
    if (call === "POST inspections") return this.#inspection();
    if (call === "POST plans") return this.#plan(`p${++this.plans}`, this.stage, body.references);
    if (/^GET plans\//.test(call)) return this.plans ? this.#plan(call.slice(10), "done") : null;
    if (call.startsWith("GET words/")) return { trigger_words: this.words };
    return this.#fetch(body);
  }

  #inspection() {
    const references = Object.entries(this.front.widgets).map(([id, name]) => this.#reference(id, name));
    return { format: "ui", references, unknown_nodes: [], missing: references.filter((one) => one.resolution.state !== "present").length };
  }

  /** @param {string} id @param {string} name */
  #reference(id, name) {
    const resolution = { state: this.here.has(name) ? "present" : "missing", evidence: null, relink: null };
    return { key: `${id}.lora_name`, node_id: id, node_type: "LoraLoader", input: "lora_name", folder: "loras", name, active: true, relink: null, resolution };
  }

  /** @param {string} id @param {string} stage @param {string[]} [keys] */
  #plan(id, stage, keys) {
    const references = this.#inspection().references.filter(({ key, name }) => (keys ? keys.includes(key) : !this.here.has(name)));
    const items = references.map(({ key, name, node_id }) =>
      item({
        key, name, folder: "loras", state: stage === "done" ? "certain" : "asking", chosen: 0,
        nodes: [{ id: node_id, type: "LoraLoader", title: null, input: "lora_name" }],
        candidates: stage === "done" ? [candidate({ size: 5, url: `https://hub/${name}`, ...this.facts })] : [],
      }),
    );
    return plan({ id, stage: /** @type {any} */ (stage), items });
  }

  /** @param {any} body */
  #fetch(body) {
    const made = Object.keys(body.items).map((key) => {
      const [node_id] = key.split(".");
      const name = this.front.widgets[node_id];
      const references = [{ node_id, input: "lora_name", name, folder: "loras" }];
      return transfer({ id: `t-${name}`, name, folder: "loras", state: "running", references });
    });
    for (const one of made) this.transfers[one.id] = one;
    return { transfers: made, skipped: [] };
  }

  /**
   * A transfer ends well; its file lies here, perhaps under another name.
   * @param {string} name @param {{ as?: string, isTold?: boolean }} [how]
   */
  async arrive(name, { as = name, isTold = true } = {}) {
    this.here.add(as);
    const id = `t-${name}`;
    this.transfers[id] = { ...this.transfers[id], state: "verified", relink: as };
    if (!isTold) return;
    await this.flow.hear("comfywatchman.transfer", { transfers: [this.transfers[id]] });
    await rest();
  }
}
