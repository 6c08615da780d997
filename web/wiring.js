// Carries out what the elements wish, and takes in what the server says: api ↔ store ↔ panel. Knows no ComfyUI:
// what needs the graph (`wm-locate`, `wm-relink`, `wm-pin`, `wm-rescan`) is left to the page.
//
//     const wiring = new Wiring(api, store, { memory: sessionStorage });
//     await wiring.start();              status, transfers and the plan that was open before a reload
//     const unwire = wiring.wire(panel); its wishes are carried out from now on
//     wiring.hear("comfywatchman.transfer", detail);   each event of the server

/** @import { FetchBody, Queue, Tick } from "./types.js" */
/** @import { Document } from "./api.js" */

import { Api, ApiError } from "./api.js";
import { Store, currentView } from "./store.js";
import { Tokens } from "./tokens.js";

const MEMORY = "comfywatchman.plans"; // { workflow's key: plan's id }, for a page that was reloaded

const STATES = /** @type {const} */ ({ pause: "paused", resume: "queued", retry: "queued", cancel: "cancelled" });

/** @typedef {Pick<Storage, "getItem" | "setItem">} Memory */

export class Wiring {
  #api;
  #store;
  #memory;
  /** @type {Map<string, Document & { name?: string }>} the workflows that were looked at, to plan them again */
  #documents = new Map();
  /** @type {Map<string, AbortController>} what was asked about a workflow and is no longer wanted once it changes */
  #asked = new Map();
  /** @type {Set<string>} plans that an event told of before the answer that names them was here */
  #early = new Set();

  /**
   * @param {Api} api
   * @param {Store} store
   * @param {{ memory?: Memory | null }} [options]
   */
  constructor(api, store, { memory = null } = {}) {
    this.#api = api;
    this.#store = store;
    this.#memory = memory;
    this.tokens = new Tokens(api, store);
  }

  /** Read everything that does not belong to one workflow; also after the server was away. */
  async start() {
    const growing = Object.values(this.#store.state.views).filter(({ planning }) => planning);
    const plans = growing.flatMap(({ plan }) => (plan ? [this.#hearPlan(plan.id)] : []));
    await Promise.all([this.refresh(), this.readTransfers(), this.readSettings(), ...plans]);
  }

  async refresh() {
    try {
      this.#store.dispatch({ type: "status", status: await this.#api.status() });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 0) this.#store.dispatch({ type: "link", link: "lost" });
      else this.#store.dispatch({ type: "fault", fault: error.fault }); // it answers, and says what is wrong
    }
  }

  async readTransfers() {
    await this.#quietly(async () => {
      const { transfers, speed } = await this.#api.transfers();
      this.#store.dispatch({ type: "transfers", transfers, speed });
    });
  }

  async readSettings() {
    await this.#quietly(async () => {
      this.#store.dispatch({ type: "settings", settings: (await this.#api.settings()).settings });
    });
  }

  /**
   * Look at a workflow: what it names against the server's disk. A newer look makes an older one void.
   *
   * @param {string} key the workflow's, stable while it is open
   * @param {Document & { name?: string }} document
   */
  async look(key, document) {
    const signal = this.#begin(key);
    this.#documents.set(key, document);
    this.#store.dispatch({ type: "workflow", key, name: document.name ?? null });
    try {
      const inspection = await this.#api.inspect(document, signal);
      this.#store.dispatch({ type: "inspection", key, inspection });
      return inspection;
    } catch (error) {
      this.#failView(key, error, signal);
      return null;
    }
  }

  /**
   * Ask for a plan of a workflow that was looked at.
   *
   * @param {string} key
   */
  async find(key) {
    const document = this.#documents.get(key);
    if (!document) return null;
    const signal = this.#begin(key);
    this.#store.dispatch({ type: "planning", key });
    try {
      const plan = this.#keepPlan(key, await this.#api.makePlan(document, signal));
      const isOvertaken = this.#early.delete(plan.id) && plan.stage !== "done";
      return isOvertaken ? ((await this.#hearPlan(plan.id)) ?? plan) : plan;
    } catch (error) {
      this.#failView(key, error, signal);
      return null;
    }
  }

  /**
   * Take up the plan that a workflow had before the page was reloaded, if it is still there.
   *
   * @param {string} key
   */
  async recall(key) {
    const id = this.#remembered()[key];
    if (!id) return null;
    try {
      return this.#keepPlan(key, await this.#api.plan(id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#remember(key, null); // expired or spent
      return null;
    }
  }

  /**
   * Carry out what of a plan the user agreed to, then plan the rest anew: a plan serves once.
   *
   * @param {string} key
   * @param {FetchBody} body
   */
  async fetch(key, body) {
    const plan = this.#store.state.views[key]?.plan;
    if (!plan) return;
    await this.#plainly(async () => {
      const { transfers, skipped } = await this.#api.fetchPlan(plan.id, body);
      this.#store.dispatch({ type: "fetched", key, transfers, skipped, remember: body.remember });
      this.#remember(key, null);
    });
    await this.find(key);
  }

  /**
   * Take in an event of the server.
   *
   * @param {string} type
   * @param {any} detail
   */
  async hear(type, detail) {
    if (type === "comfywatchman.transfer") return this.#hearTransfers(detail);
    if (type === "comfywatchman.operation") return this.#hearPlan(String(detail?.id));
    if (type === "comfywatchman.settings") return Promise.all([this.refresh(), this.readSettings()]);
    return undefined;
  }

  /** @param {{ transfers?: Tick[], queue?: Partial<Queue> }} detail */
  async #hearTransfers({ transfers = [], queue }) {
    this.#store.dispatch({ type: "ticks", transfers, queue });
    const hasFailed = transfers.some(({ state }) => state === "failed"); // when, a tick does not say
    if (this.#store.state.stale || hasFailed) await this.readTransfers();
  }

  /** @param {string} id @returns {Promise<import("./types.js").Plan | null>} */
  async #hearPlan(id) {
    const views = Object.values(this.#store.state.views);
    const view = views.find(({ plan }) => plan?.id === id);
    if (!view && views.some(({ planning }) => planning)) this.#early.add(id);
    if (!view || view.spent) return null;
    try {
      return this.#keepPlan(view.key, await this.#api.plan(id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 0) this.#store.dispatch({ type: "link", link: "lost" });
      else if (error.status === 404) return this.find(view.key); // a server begun anew knows no plan of before
    }
    return null;
  }

  /**
   * Carry out the wishes of a panel, or of any of our elements.
   *
   * @param {EventTarget} panel
   * @returns {() => void} ends it
   */
  wire(panel) {
    const stop = new AbortController();
    for (const [name, carryOut] of Object.entries(this.#wishes())) {
      const listener = (/** @type {any} */ event) => void carryOut(event.detail);
      panel.addEventListener(name, listener, { signal: stop.signal });
    }
    return () => stop.abort();
  }

  /** @returns {Record<string, (detail: any) => unknown>} */
  #wishes() {
    return {
      "wm-find": ({ key }) => this.find(key),
      "wm-fetch": ({ key, body }) => this.fetch(key, body),
      "wm-agree": ({ key, agreed }) => this.#choose(key, { agreed }),
      "wm-choose": ({ key, candidate }) => this.#choose(key, { candidate, agreed: undefined }),
      "wm-root": ({ key, root }) => this.#choose(key, { root }),
      "wm-transfer": ({ id, action }) => this.changeTransfer(id, action),
      "wm-move": ({ id, before }) => this.moveTransfer(id, before),
      "wm-settings": ({ changes }) => this.changeSettings(changes),
      "wm-token-set": ({ hub, token }) => this.setToken(hub, token),
      "wm-token-test": ({ hub }) => this.tokens.test(hub),
      "wm-token-remove": ({ hub }) => this.removeToken(hub),
      "wm-dismiss": () => this.#store.dispatch({ type: "fault", fault: null }),
    };
  }

  /**
   * @param {string} item
   * @param {import("./types.js").Choice} choice
   */
  #choose(item, choice) {
    const view = currentView(this.#store.state);
    if (view) this.#store.dispatch({ type: "choice", key: view.key, item, choice });
  }

  /**
   * @param {string} id or "all"
   * @param {keyof typeof STATES | "forget"} action
   */
  async changeTransfer(id, action) {
    await this.#plainly(async () => {
      if (action === "forget") {
        await this.#api.forgetTransfer(id);
        this.#store.dispatch({ type: "forgotten", id });
      } else {
        const failed = id === "all" && action === "retry" ? { of: /** @type {["failed"]} */ (["failed"]) } : {};
        await this.#api.changeTransfer(id, { state: STATES[action], ...failed });
      }
    });
    if (action !== "forget") await this.readTransfers();
  }

  /**
   * @param {string} id
   * @param {string | null} before
   */
  async moveTransfer(id, before) {
    await this.#plainly(() => this.#api.changeTransfer(id, { before }));
    await this.readTransfers();
  }

  /** @param {Record<string, unknown>} changes */
  async changeSettings(changes) {
    await this.#plainly(async () => {
      this.#store.dispatch({ type: "settings", settings: (await this.#api.changeSettings(changes)).settings });
    });
  }

  /**
   * Keep a token; what it opens is asked about again.
   *
   * @param {string} hub
   * @param {string} token
   */
  async setToken(hub, token) {
    await this.tokens.set(hub, token);
    const view = currentView(this.#store.state);
    const isLocked = view?.plan?.items.some(({ state }) => state === "locked");
    if (view && isLocked && this.#store.state.tokens[hub]?.state === "good") await this.find(view.key);
  }

  /** @param {string} hub */
  async removeToken(hub) {
    await this.tokens.remove(hub);
    await this.refresh();
  }

  /**
   * Begin to ask about a workflow; whatever was asked about it before no longer matters.
   *
   * @param {string} key
   */
  #begin(key) {
    this.#asked.get(key)?.abort();
    const stop = new AbortController();
    this.#asked.set(key, stop);
    return stop.signal;
  }

  /**
   * @param {string} key
   * @param {import("./types.js").Plan} plan
   */
  #keepPlan(key, plan) {
    this.#store.dispatch({ type: "plan", key, plan });
    this.#remember(key, plan.id);
    return plan;
  }

  /**
   * @param {string} key
   * @param {unknown} error
   * @param {AbortSignal} signal
   */
  #failView(key, error, signal) {
    if (signal.aborted) return; // a newer question has taken its place
    if (!(error instanceof ApiError)) throw error;
    const plan = error.status === 0 ? this.#store.state.views[key]?.plan : null; // what was known is still the best guess
    this.#store.dispatch({ type: "no-plan", key, plan, fault: error.fault });
  }

  /**
   * Do what the user asked for; a fault is shown.
   *
   * @param {() => Promise<unknown>} work
   */
  async #plainly(work) {
    try {
      await work();
      this.#store.dispatch({ type: "fault", fault: null });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#store.dispatch({ type: "fault", fault: error.fault });
    }
  }

  /**
   * Do what nobody asked for just now; a fault only says that the server is away.
   *
   * @param {() => Promise<unknown>} work
   */
  async #quietly(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 0) this.#store.dispatch({ type: "link", link: "lost" });
    }
  }

  /** @returns {Record<string, string>} */
  #remembered() {
    try {
      return JSON.parse(this.#memory?.getItem(MEMORY) ?? "{}");
    } catch {
      return {}; // written by something else
    }
  }

  /**
   * @param {string} key
   * @param {string | null} id
   */
  #remember(key, id) {
    const plans = this.#remembered();
    if (id === null) delete plans[key];
    else plans[key] = id;
    this.#memory?.setItem(MEMORY, JSON.stringify(plans));
  }
}
