// What happens when: a graph is opened or changed, a plan grows, a file arrives, Run is pressed.
//
//     graph → inspection (disk) → plan (hubs) → fetch → transfers → lists read anew → widgets relinked → run
//
// The wiring speaks with the server and keeps the store; here is what a live graph adds to it: the way from a look
// to a fetch. What comes after stands in arrivals.js and runs.js, what is done with sources in sources.js. None of
// them knows ComfyUI or the DOM: the front end is handed in.

import { Arrivals } from "./arrivals.js";
import { sentence } from "./format.js";
import { Memory } from "./memory.js";
import { countMissing, needsOf, selected } from "./needs.js";
import { Runs } from "./runs.js";
import { fileOf, underway } from "./selection.js";
import { Sources } from "./sources.js";
import { currentView } from "./store.js";
import { Timers } from "./timers.js";
import { t } from "./words.js";

/**
 * @import { Api } from "./api.js"
 * @import { FrontEnd } from "./frontend.js"
 * @import { Store } from "./store.js"
 * @import { FetchBody, Item, Plan, State, View } from "./types.js"
 * @import { Wiring } from "./wiring.js"
 */

/** The user's setting: whether a page says so when an opened workflow lacks models. */
export const NOTICES = "Comfywatchman.Panel.Notices";

/** Milliseconds that a notice stands where toasts lie over ComfyUI's own "View details" (before 1.57). */
const BRIEF = 4_000;

/** In milliseconds. */
const TIMES = {
  delay: 300, // from the last of several changes until they are looked at
  beat: 2_000, // after which a plan that grows is asked for again, should an event be lost
  patience: 15_000, // that a pressed Run waits for a plan
};

export class Flow {
  #front;
  #wiring;
  #store;
  #times;
  #timers = new Timers();
  /** @type {Map<string, string>} what each workflow named when it was looked at */
  #marks = new Map();
  /** @type {Set<string>} files that came without a question */
  #automatic = new Set();

  /**
   * @param {{ front: FrontEnd, api: Api, wiring: Wiring, store: Store, session: Storage,
   *   times?: Partial<typeof TIMES> & { pause?: number, silence?: number } }} parts
   */
  constructor({ front, api, wiring, store, session, times = {} }) {
    this.#front = front;
    this.#wiring = wiring;
    this.#store = store;
    this.#times = { ...TIMES, ...times };
    const memory = new Memory(session);
    const look = () => this.look({ isForced: true });
    this.arrivals = new Arrivals({ front, wiring, store, memory, look, times });
    this.runs = new Runs({ flow: this, front, store, memory });
    this.sources = new Sources({ flow: this, front, api, store });
  }

  /** Read what the server knows, and watch plans and transfers from then on. */
  async connect() {
    await this.#wiring.start();
    this.#tellRefused();
    this.arrivals.watch();
    this.#store.subscribe((state) => this.#watchPlans(state));
  }

  /** The server is back, perhaps another one: everything it told is told again. */
  async reconnected() {
    await this.#wiring.start();
    await this.arrivals.settle();
  }

  /** The server is gone for now. */
  disconnected() {
    this.#store.dispatch({ type: "link", link: "lost" });
  }

  /** The graph may have changed: look at it a moment later, once for many changes. */
  changed() {
    this.#timers.later("look", this.#times.delay, () => this.look());
  }

  /** A workflow was opened: look at once, and say so if something is missing. */
  async loaded() {
    this.#timers.clear("look");
    await this.#front.settle();
    await this.look({ isLoad: true });
  }

  /**
   * Compare the graph with the disk, and plan for what is missing.
   * @param {{ isForced?: boolean, isLoad?: boolean, isAnew?: boolean }} [how] forced: also when the graph names what
   * it named; anew: with another plan, whatever the present one knows
   */
  async look({ isForced = false, isLoad = false, isAnew = false } = {}) {
    const { workflow } = this.#front;
    const mark = this.#front.mark();
    if (!workflow || mark === null) return;
    const { key, name } = workflow;
    this.#store.dispatch({ type: "workflow", key, name });
    if (this.#store.state.views[key]?.inspection) this.#showBadge(); // of what was not looked at nothing is known
    if (!isForced && this.#marks.get(key) === mark) return;
    const document = this.#front.document();
    if (!document) return;
    this.#marks.set(key, mark);
    const inspection = await this.#wiring.look(key, { workflow: document, ...(name ? { name } : {}) });
    this.#showBadge();
    if (!inspection) return void this.#marks.delete(key); // so that the next change looks again
    if (isLoad && inspection.missing) this.#tellMissing(needsOf(this.#store.state.views[key]).length);
    await this.#planFor(key, isAnew);
    await this.runs.runIfReady(key);
  }

  /** Look for sources again. */
  async rescan() {
    await this.look({ isForced: true, isAnew: true });
  }

  /** Show what is known, and look for sources again. */
  async showMissing() {
    await this.#front.openPanel();
    await this.rescan();
  }

  /** Ask for a plan, unless there is one for all that is missing. @param {string} key @param {boolean} isAnew */
  async #planFor(key, isAnew) {
    const view = this.#store.state.views[key];
    const needs = needsOf(view);
    if (!needs.length) return this.#store.dispatch({ type: "no-plan", key });
    const known = isAnew ? null : (view.plan ?? (await this.#wiring.recall(key)));
    const isEnough = known && !view.spent && needs.every((file) => known.items.some((item) => fileOf(item) === file));
    const plan = isEnough ? known : await this.#wiring.find(key);
    if (plan) await this.#follow(key, plan);
  }

  /** An event of the server. @param {string} type @param {any} detail */
  async hear(type, detail) {
    await this.#wiring.hear(type, detail);
    if (type === "comfywatchman.library") this.arrivals.libraryChanged();
    if (type !== "comfywatchman.operation") return;
    const view = Object.values(this.#store.state.views).find(({ plan }) => plan?.id === detail?.id);
    if (view?.plan) await this.#follow(view.key, view.plan);
  }

  /** Ask for each plan that grows, should its event be lost. @param {State} state */
  #watchPlans({ views }) {
    for (const { key, plan, spent } of Object.values(views)) {
      const timer = `plan ${key}`;
      if (!plan || spent || plan.stage === "done") this.#timers.clear(timer);
      else if (!this.#timers.has(timer)) {
        this.#timers.later(timer, this.#times.beat, () => this.hear("comfywatchman.operation", { id: plan.id }));
      }
    }
  }

  /** What the user said shall come by itself once a plan is made; each file once a page. @param {string} key @param {Plan} plan */
  async #follow(key, plan) {
    const { status } = this.#store.state;
    if (plan.stage !== "done" || status?.offline) return; // it would fail at each look
    if (status?.fetch_certain !== true || this.#store.state.views[key]?.spent) return;
    const transfers = Object.values(this.#store.state.transfers);
    const isFresh = (/** @type {Item} */ item) =>
      item.state === "certain" && !underway(item, transfers) && !this.#automatic.has(fileOf(item));
    const fresh = plan.items.filter(isFresh);
    for (const item of fresh) this.#automatic.add(fileOf(item));
    if (fresh.length) await this.fetch(key, selected(fresh));
  }

  /** Carry out what of a workflow's plan was agreed to. @param {string} key @param {FetchBody} body */
  async fetch(key, body) {
    await this.#wiring.fetch(key, body);
    await this.#wiring.readTransfers(); // an event may have overtaken the answer
  }

  /** The view once its plan is made; as it is after a while. @param {string} key @returns {Promise<View>} */
  planned(key) {
    return new Promise((resolve) => {
      const give = () => {
        clearTimeout(timer);
        queueMicrotask(() => end());
        resolve(this.#store.state.views[key]);
      };
      const timer = setTimeout(give, this.#times.patience);
      const end = this.#store.subscribe((state) => void (state.views[key]?.planning || give()));
    });
  }

  /** Carry out the wishes of an element that need the graph. @param {EventTarget} element */
  wire(element) {
    /** @type {Record<string, (detail: any) => unknown>} */
    const wishes = {
      "wm-locate": ({ id }) => this.#front.locate(id),
      "wm-relink": ({ keys }) => this.sources.relink(keys),
      "wm-pin": ({ keys }) => this.sources.pin(keys),
      "wm-rescan": () => this.rescan(),
    };
    for (const [name, act] of Object.entries(wishes)) {
      element.addEventListener(name, (event) => void act(/** @type {CustomEvent} */ (event).detail));
    }
  }

  /** The server does not answer a page that was opened like this; nothing of ours works until that is changed. */
  #tellRefused() {
    const { fault } = this.#store.state;
    if (fault?.code !== "not-allowed") return;
    const detail = [sentence(fault.message), fault.hint].filter(Boolean).join(" ");
    this.#front.notify({ severity: "warn", summary: t("host.refused"), detail, life: 30_000 });
  }

  #showBadge() {
    this.#front.badge(countMissing(currentView(this.#store.state)));
  }

  /** @param {number} count */
  #tellMissing(count) {
    if (this.#front.isPanelOpen || this.#front.setting(NOTICES) === false) return;
    const detail = t("host.missing.detail");
    this.#front.notifyWithWay({ severity: "info", summary: t("host.missing", { count }), detail, life: BRIEF });
  }
}
