// What happens when: a graph is opened or changed, a plan grows, a file arrives, Run is pressed.
//
//     graph → inspection (disk) → plan (hubs) → fetch → transfers → lists read anew → widgets relinked → run
//
// The wiring speaks with the server and keeps the store; here is what a live graph adds to it. It knows neither
// ComfyUI nor the DOM: the front end is handed in.

import { formatSize } from "./format.js";
import { candidateOf, consentKind, fetchBody, itemsOf, takenItems, underway } from "./selection.js";
import { currentView } from "./store.js";
import { t } from "./words.js";

/**
 * @import { Api } from "./api.js"
 * @import { FrontEnd } from "./frontend.js"
 * @import { ModelEntry } from "./graph.js"
 * @import { Store } from "./store.js"
 * @import { FetchBody, Item, Plan, State, Transfer, View } from "./types.js"
 * @import { Wiring } from "./wiring.js"
 */

/** The user's setting: whether a page says so when an opened workflow lacks models. */
export const NOTICES = "Comfywatchman.Panel.Notices";

const UNDERWAY = new Set(["queued", "running", "paused"]);
const HERE = new Set(["verified", "skipped"]);
const MEMORY = "comfywatchman.flow";
const PATIENCE = 15_000; // milliseconds that a pressed Run waits for a plan
const BEAT = 2_000; // milliseconds after which a plan is asked for again, should an event be lost

/**
 * @typedef {object} Memory what outlives a reload of this page
 * @property {string[]} awaited transfers that were on their way; their arrival relinks
 * @property {string[]} runs workflows to be run once their models are here
 */

export class Flow {
  #front;
  #api;
  #wiring;
  #store;
  #session;
  #delay;
  /** @type {Memory} */
  #memory;
  /** @type {Map<string, string>} what each workflow named when it was looked at */
  #marks = new Map();
  /** @type {Set<string>} files that came without a question */
  #automatic = new Set();
  /** @type {Set<string>} needs for which a run was offered */
  #offered = new Set();
  /** @type {Set<string> | null} transfers whose end is old news; null until the list was read */
  #ended = null;
  /** @type {Transfer[]} here, and not yet relinked */
  #arrived = [];
  /** @type {string[]} files that the built-in panel wants */
  #named = [];
  /** @type {Promise<Set<string>> | null} */
  #batch = null;
  #isSettling = false;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();

  /**
   * @param {{ front: FrontEnd, api: Api, wiring: Wiring, store: Store, session: Storage, delay?: number }} parts
   * `delay` in milliseconds, from the last of several changes until they are looked at
   */
  constructor({ front, api, wiring, store, session, delay = 300 }) {
    this.#front = front;
    this.#api = api;
    this.#wiring = wiring;
    this.#store = store;
    this.#session = session;
    this.#delay = delay;
    this.#memory = recall(session);
  }

  /** Read what the server knows, and watch the transfers from then on. */
  async connect() {
    await this.#wiring.start();
    const transfers = this.#transfers.filter((one) => !UNDERWAY.has(one.state));
    const awaited = new Set(this.#memory.awaited);
    this.#ended = new Set(transfers.filter((one) => !awaited.has(one.id)).map((one) => one.id));
    this.#store.subscribe((state) => this.#noteTransfers(state));
  }

  /** The server is back, perhaps another one: everything it told is told again. */
  async reconnected() {
    await this.#wiring.start();
    await this.#settle();
  }

  /** The server is gone for now. */
  disconnected() {
    this.#store.dispatch({ type: "link", link: "lost" });
  }

  /** The graph may have changed: look at it a moment later, once for many changes. */
  changed() {
    this.#later("look", this.#delay, () => this.look());
  }

  /** A workflow was opened: look at once, and say so if something is missing. */
  async loaded() {
    clearTimeout(this.#timers.get("look"));
    await this.look({ isLoad: true });
  }

  /**
   * Compare the graph with the disk, and plan for what is missing.
   * @param {{ isForced?: boolean, isLoad?: boolean }} [how] forced: also when the graph names what it named
   */
  async look({ isForced = false, isLoad = false } = {}) {
    const { workflow } = this.#front;
    const mark = this.#front.mark();
    if (!workflow || mark === null) return;
    const { key, name } = workflow;
    this.#store.dispatch({ type: "workflow", key, name });
    this.#showBadge();
    if (!isForced && this.#marks.get(key) === mark) return;
    const document = this.#front.document();
    if (!document) return;
    this.#marks.set(key, mark);
    const inspection = await this.#wiring.look(key, { workflow: document, ...(name ? { name } : {}) });
    if (!inspection) return void this.#marks.delete(key); // so that the next change looks again
    this.#showBadge();
    if (isLoad && inspection.missing) this.#tellMissing(needsOf(this.#store.state.views[key]).length);
    await this.#planFor(key);
    await this.#runIfReady(key);
  }

  /** Look for sources again. */
  async rescan() {
    await this.look({ isForced: true });
    const view = currentView(this.#store.state);
    if (view && needsOf(view).length) await this.#find(view.key);
  }

  /** Ask for a plan, unless there is one for all that is missing. @param {string} key */
  async #planFor(key) {
    const view = this.#store.state.views[key];
    const needs = needsOf(view);
    if (!needs.length) return this.#store.dispatch({ type: "no-plan", key });
    const plan = view.plan ?? (await this.#wiring.recall(key));
    const isEnough = plan && !view.spent && needs.every((file) => plan.items.some((item) => fileOf(item) === file));
    if (isEnough) await this.#follow(key, plan);
    else await this.#find(key);
  }

  /** @param {string} key */
  async #find(key) {
    const plan = await this.#wiring.find(key);
    if (plan) await this.#follow(key, plan);
  }

  /** An event of the server. @param {string} type @param {any} detail */
  async hear(type, detail) {
    await this.#wiring.hear(type, detail);
    if (type === "comfywatchman.library") this.libraryChanged();
    if (type !== "comfywatchman.operation") return;
    const view = Object.values(this.#store.state.views).find(({ plan }) => plan?.id === detail?.id);
    if (view?.plan) await this.#follow(view.key, view.plan);
  }

  /** What comes of a plan as it stands now. @param {string} key @param {Plan} plan */
  async #follow(key, plan) {
    const timer = `plan ${key}`;
    clearTimeout(this.#timers.get(timer));
    if (plan.stage === "done") await this.#fetchCertain(key, plan);
    else this.#later(timer, BEAT, () => this.hear("comfywatchman.operation", { id: plan.id }));
  }

  /** What the user said shall come by itself; each file once a page. @param {string} key @param {Plan} plan */
  async #fetchCertain(key, plan) {
    if (this.#store.state.status?.fetch_certain !== true || this.#store.state.views[key]?.spent) return;
    const isFresh = (/** @type {Item} */ item) =>
      item.state === "certain" && !underway(item, this.#transfers) && !this.#automatic.has(fileOf(item));
    const fresh = plan.items.filter(isFresh);
    for (const item of fresh) this.#automatic.add(fileOf(item));
    if (fresh.length) await this.#fetch(key, selected(fresh));
  }

  /** @param {string} key @param {FetchBody} body */
  async #fetch(key, body) {
    await this.#wiring.fetch(key, body);
    await this.#wiring.readTransfers(); // an event may have overtaken the answer
  }

  /**
   * Fetch files by name and folder, as the built-in panel asks for them; calls close to each other are one.
   * @param {string} name @param {string} folder @returns {Promise<boolean>} whether it is on its way
   */
  async fetchNamed(name, folder) {
    this.#named.push(fileOf({ folder, name }));
    this.#batch ??= new Promise((resolve) => setTimeout(resolve, 100)).then(() => this.#fetchAllNamed());
    return (await this.#batch).has(fileOf({ folder, name }));
  }

  /** @returns {Promise<Set<string>>} */
  async #fetchAllNamed() {
    const wanted = this.#named;
    this.#named = [];
    this.#batch = null;
    await this.look({ isForced: true });
    const key = this.#front.workflow?.key;
    if (key === undefined) return new Set();
    const view = await this.#planned(key);
    const items = (view?.plan?.items ?? []).filter((item) => wanted.includes(fileOf(item)));
    const taken = items.filter((item) => consentKind(candidateOf(item, undefined)) === "row");
    if (taken.length) await this.#fetch(key, selected(taken));
    return new Set(taken.map(fileOf));
  }

  // ── arrivals ──

  /** Files appeared in the library, brought by us or by others. */
  libraryChanged() {
    this.#later("settle", 250, () => this.#settle());
  }

  /** Which transfers are on their way, have arrived, or have failed since the last state. @param {State} state */
  #noteTransfers({ transfers }) {
    const ended = /** @type {Set<string>} */ (this.#ended);
    const news = Object.values(transfers).filter((one) => !UNDERWAY.has(one.state) && !ended.has(one.id));
    const coming = Object.values(transfers).filter((one) => UNDERWAY.has(one.state)).map((one) => one.id);
    for (const one of news) ended.add(one.id);
    for (const id of coming) ended.delete(id); // tried again
    if (news.length || coming.join() !== this.#memory.awaited.join()) {
      this.#memory.awaited = coming;
      this.#remember();
    }
    this.#arrived.push(...news.filter((one) => HERE.has(one.state)));
    if (news.length) this.libraryChanged();
  }

  /** Files are here: lists, widgets, marks, panel, and the run that waited for them; once for many. */
  async #settle() {
    if (this.#isSettling) return this.libraryChanged();
    this.#isSettling = true;
    try {
      const arrived = this.#arrived.splice(0);
      await this.#front.refreshLists();
      if (this.#front.relink(arrived.flatMap(relinksOf))) await this.#front.refreshMarks();
      await this.look({ isForced: true });
      if (arrived.length && !this.#transfers.some((one) => UNDERWAY.has(one.state))) {
        this.#front.notify({ severity: "success", summary: t("host.arrived", { count: arrived.length }) });
      }
    } finally {
      this.#isSettling = false;
    }
  }

  // ── wishes that need the graph ──

  /** Listen for them on an element. @param {EventTarget} element */
  wire(element) {
    /** @type {Record<string, (detail: any) => unknown>} */
    const wishes = {
      "wm-locate": ({ id }) => this.#front.locate(id),
      "wm-relink": ({ keys }) => this.relink(this.#items.filter((item) => keys.includes(item.key))),
      "wm-pin": ({ keys }) => this.pin(this.#items.filter((item) => keys.includes(item.key))),
      "wm-rescan": () => this.rescan(),
    };
    for (const [name, act] of Object.entries(wishes)) {
      element.addEventListener(name, (event) => void act(/** @type {CustomEvent} */ (event).detail));
    }
  }

  /**
   * Point the widgets of items at the files that are here.
   * @param {Item[]} items
   */
  relink(items) {
    const changes = this.#references(items).flatMap((reference) => {
      const to = reference.relink ?? reference.resolution.relink;
      return to ? [{ node_id: reference.node_id, input: reference.input, from: reference.name, to }] : [];
    });
    return this.#front.relink(changes);
  }

  /**
   * Write the sources of items into their nodes; says how many nodes have one now.
   * @param {Item[]} items
   */
  pin(items) {
    const entries = items.flatMap((item) => {
      const model = modelOf(item, this.#view?.choices[item.key]);
      return model ? this.#references([item]).map(({ node_id, name }) => ({ node_id, model: { ...model, name } })) : [];
    });
    const count = this.#front.pin(entries);
    const summary = entries.length ? t("host.pinned", { count }) : t("host.no-source");
    this.#front.notify({ severity: entries.length ? "success" : "info", summary });
    return count;
  }

  /** Write every source that was found into its nodes. */
  pinAll() {
    return this.pin(this.#items);
  }

  /** @param {string} id of a node */
  async pinFor(id) {
    this.pin(await this.#sourcesOf(id));
  }

  /** Show what is known, and look for sources again. */
  async showMissing() {
    await this.#front.openPanel();
    await this.rescan();
  }

  /** @param {string} id of a node */
  async copyWordsOf(id) {
    const items = await this.#sourcesOf(id);
    const words = items.flatMap((item) => (candidateOf(item, undefined) ?? item.candidates[0])?.trigger_words ?? []);
    const isCopied = words.length > 0 && (await this.#front.copy(words.join(", ")));
    const summary = isCopied ? t("host.words", { words: words.join(", ") }) : t("host.no-words");
    this.#front.notify({ severity: isCopied ? "success" : "info", summary });
  }

  /**
   * The files that a node names, with their candidates; also of those that are here, which hubs are asked about.
   * @param {string} id @returns {Promise<Item[]>}
   */
  async #sourcesOf(id) {
    await this.look();
    const named = (/** @type {Item[]} */ items) => items.filter((item) => item.nodes.some((node) => node.id === id));
    const known = named(this.#items).filter((item) => item.candidates.length);
    const document = this.#front.document();
    const references = this.#view?.inspection?.references ?? [];
    const keys = references.filter((one) => one.node_id === id).map((one) => one.key);
    if (known.length || !document || !keys.length) return known;
    return named((await this.#askAbout(document, keys)) ?? []);
  }

  /** @param {object} document @param {string[]} references @returns {Promise<Item[] | null>} */
  async #askAbout(document, references) {
    try {
      let plan = await this.#api.makePlan({ workflow: document, references });
      for (let turn = 0; plan.stage !== "done" && turn < 30; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        plan = await this.#api.plan(plan.id);
      }
      return plan.items;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#front.notify({ severity: "warn", summary: message });
      return null;
    }
  }

  get #view() {
    return currentView(this.#store.state);
  }

  get #items() {
    return this.#view ? itemsOf(this.#view) : [];
  }

  get #transfers() {
    return Object.values(this.#store.state.transfers);
  }

  /** @param {Item[]} items */
  #references(items) {
    const keys = new Set(items.flatMap((item) => item.references));
    return (this.#view?.inspection?.references ?? []).filter((reference) => keys.has(reference.key));
  }

  // ── Run ──

  /**
   * Run was pressed. When models are missing, ComfyUI will refuse the prompt by itself; we offer to fetch
   * them and to run then. Nothing is held back, and the same need is offered once.
   */
  async runPressed() {
    await this.look();
    const needs = [this.#view?.key, ...needsOf(this.#view)];
    if (needs.length === 1 || this.#offered.has(needs.join("\n"))) return;
    this.#offered.add(needs.join("\n"));
    await this.fetchAndRun();
  }

  /** A prompt went out or, in older front ends, was refused: they do not tell before. */
  async runEnded() {
    if (this.#front.wasRefused()) await this.runPressed();
  }

  /** Fetch what is missing, then run; asks with names, sizes and hosts. */
  async fetchAndRun() {
    await this.look();
    const key = this.#view?.key;
    if (key === undefined) return;
    if (!needsOf(this.#view).length) return this.#front.run();
    const view = await this.#planned(key);
    const taken = takenItems(view, this.#transfers);
    const coming = missingItems(view).filter((item) => underway(item, this.#transfers)).length;
    if (!taken.length && !coming) return this.#tellStuck();
    if (!(await this.#front.ask(runQuestion(view, taken, coming)))) return;
    this.#memory.runs = [...new Set([...this.#memory.runs, key])];
    this.#remember();
    if (taken.length) await this.#fetch(key, fetchBody(view, this.#transfers));
  }

  /** The view once its plan is made; as it is after a while. @param {string} key @returns {Promise<View>} */
  #planned(key) {
    return new Promise((resolve) => {
      const give = () => {
        clearTimeout(timer);
        queueMicrotask(() => end());
        resolve(this.#store.state.views[key]);
      };
      const timer = setTimeout(give, PATIENCE);
      const end = this.#store.subscribe((state) => void (state.views[key]?.planning || give()));
    });
  }

  /** @param {string} key */
  async #runIfReady(key) {
    const view = this.#store.state.views[key];
    if (!this.#memory.runs.includes(key) || !view?.inspection || this.#front.workflow?.key !== key) return;
    const left = missingItems(view);
    if (left.some((item) => underway(item, this.#transfers))) return;
    this.#memory.runs = this.#memory.runs.filter((one) => one !== key);
    this.#remember();
    if (left.length) this.#tellStuck();
    else await this.#front.run();
  }

  // ── saying it ──

  #showBadge() {
    this.#front.badge(needsOf(this.#view).length);
  }

  /** @param {number} count */
  #tellMissing(count) {
    if (this.#front.isPanelOpen || this.#front.setting(NOTICES) === false) return;
    this.#tellWithWay({ severity: "info", summary: t("host.missing", { count }), detail: t("host.missing.detail") });
  }

  #tellStuck() {
    this.#tellWithWay({ severity: "warn", summary: t("host.stuck"), detail: t("host.stuck.detail") });
  }

  /** @param {import("./frontend.js").Notice} notice */
  #tellWithWay(notice) {
    const action = { label: t("host.show"), onClick: () => void this.#front.openPanel() };
    this.#front.notify({ ...notice, action });
  }

  /** @param {string} name @param {number} delay @param {() => unknown} work */
  #later(name, delay, work) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(work, delay));
  }

  #remember() {
    this.#session.setItem(MEMORY, JSON.stringify(this.#memory));
  }
}

/** @param {Storage} session @returns {Memory} */
function recall(session) {
  const empty = { awaited: [], runs: [] };
  try {
    return { ...empty, ...JSON.parse(session.getItem(MEMORY) ?? "{}") };
  } catch {
    return empty; // somebody else's text under our key
  }
}

/** The files that are missing. @param {View | null | undefined} view */
export function needsOf(view) {
  return view ? missingItems(view).map(fileOf).sort() : [];
}

/** @param {{ folder: string, name: string }} named */
function fileOf({ folder, name }) {
  return `${folder}/${name}`;
}

/** What the inspection says is not here, whatever a plan has found for it. @param {View} view */
function missingItems(view) {
  return itemsOf({ ...view, plan: null }).filter((item) => item.state !== "present");
}

/** A body that takes the offered candidate of each item. @param {Item[]} items @returns {FetchBody} */
function selected(items) {
  const choices = items.map((item) => [item.key, { candidate: item.chosen ?? 0, agreed: true, root: null }]);
  return { consent: "selected", items: Object.fromEntries(choices) };
}

/** What a file that is here means for the widgets that named it. @param {Transfer} transfer */
export function relinksOf({ relink: to, references }) {
  return references.flatMap(({ node_id, input, name }) =>
    to === null ? [] : [{ node_id, input, from: name, to }], // the name may be ours for one with backslashes
  );
}

/**
 * The entry of `properties.models` for an item's source; null where none is known.
 * @param {Item} item @param {import("./types.js").Choice} [choice] @returns {Omit<ModelEntry, "name"> | null}
 */
function modelOf(item, choice) {
  const candidate = candidateOf(item, choice);
  if (!candidate?.url) return null;
  const sha256 = candidate.digests.find((digest) => digest.startsWith("sha256:"));
  const hash = sha256 ? { hash: sha256.slice(7), hash_type: "SHA256" } : {};
  return { url: candidate.url, directory: item.folder, ...hash };
}

/** @param {View} view @param {ReturnType<typeof takenItems>} taken @param {number} coming */
function runQuestion(view, taken, coming) {
  const left = missingItems(view).length - taken.length - coming;
  const itemList = taken.map(
    ({ item, candidate }) => `${item.name} – ${formatSize(candidate.size)}, ${candidate.host ?? candidate.hub_title}`,
  );
  return {
    title: t("host.run.title"),
    message: taken.length ? t("host.run", { count: taken.length }) : t("host.run.coming", { count: coming }),
    itemList,
    ...(left > 0 ? { hint: t("host.run.left", { count: left }) } : {}),
  };
}
