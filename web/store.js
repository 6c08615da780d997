// What the page knows, as one value that is never changed in place, and what each event makes of it.
//
//     reduce(state, event) → state        pure; an event that changes nothing gives the same object back
//     Store                               holds a state, tells its subscribers

/**
 * @import {
 *   Choice, Fault, Inspection, Plan, Queue, Setting, Skipped, State, Status, Tick, TokenNote, Transfer, View
 * } from "./types.js"
 */

/**
 * @typedef {{ type: "link", link: State["link"] }
 *   | { type: "status", status: Status }
 *   | { type: "workflow", key: string, name?: string | null }
 *   | { type: "closed", key: string }
 *   | { type: "inspection", key: string, inspection: Inspection }
 *   | { type: "planning", key: string }
 *   | { type: "plan", key: string, plan: Plan }
 *   | { type: "no-plan", key: string, plan?: Plan | null, fault?: Fault | null }
 *   | { type: "choice", key: string, item: string, choice: Choice }
 *   | { type: "fetched", key: string, transfers: Transfer[], skipped: Skipped[], remember?: boolean }
 *   | { type: "transfers", transfers: Transfer[], speed?: number }
 *   | { type: "ticks", transfers: Tick[], queue?: Partial<Queue> }
 *   | { type: "forgotten", id: string }
 *   | { type: "settings", settings: Setting[] }
 *   | { type: "token", hub: string, has_token: boolean, where?: string | null }
 *   | { type: "token-note", hub: string, note: TokenNote }
 *   | { type: "fault", fault: Fault | null }} Event
 */

export const ENDED = new Set(["verified", "failed", "cancelled", "skipped"]);

/** @type {Readonly<State>} */
export const EMPTY = Object.freeze({
  link: "connecting",
  base: "",
  status: null,
  current: null,
  views: {},
  transfers: {},
  stale: false,
  speed: 0,
  settings: null,
  tokens: {},
  fault: null,
});

/** @type {{ [T in Event["type"]]: (state: State, event: Extract<Event, { type: T }>) => State }} */
const CHANGES = {
  link: (state, { link }) => (state.link === link ? state : { ...state, link }),
  status: (state, { status }) => ({ ...state, link: "ready", status }),
  workflow: (state, { key, name }) =>
    state.current === key && state.views[key]
      ? changeView(state, key, name === undefined ? {} : { name })
      : { ...changeView(state, key, name === undefined ? {} : { name }), current: key },
  closed: (state, { key }) => {
    if (!state.views[key]) return state;
    const { [key]: _closed, ...views } = state.views;
    return { ...state, views, current: state.current === key ? null : state.current };
  },
  inspection: (state, { key, inspection }) => changeView(state, key, { inspection, fault: null }),
  planning: (state, { key }) => changeView(state, key, { planning: true, fault: null }),
  plan: (state, { key, plan }) =>
    isOld(state.views[key], plan)
      ? state
      : changeView(state, key, { plan, planning: plan.stage !== "done", spent: false, fault: null }),
  "no-plan": (state, { key, plan = null, fault = null }) => changeView(state, key, { plan, planning: false, fault }),
  choice: (state, { key, item, choice }) => {
    const choices = state.views[key]?.choices ?? {};
    return changeView(state, key, { choices: { ...choices, [item]: { ...choices[item], ...choice } } });
  },
  fetched: (state, { key, transfers, skipped, remember }) => {
    const next = changeView(state, key, { spent: true, skipped });
    const status =
      next.status && remember !== undefined ? { ...next.status, fetch_certain: remember } : next.status;
    return { ...next, status, transfers: { ...next.transfers, ...byId(transfers) } };
  },
  transfers: (state, { transfers, speed = state.speed }) => ({
    ...state,
    transfers: byId(transfers),
    stale: false,
    speed,
  }),
  ticks: (state, { transfers: ticks, queue }) => {
    const known = ticks.filter((tick) => state.transfers[tick.id]);
    const changed = known.map((tick) => [tick.id, { ...state.transfers[tick.id], ...tick }]);
    return {
      ...state,
      transfers: known.length ? { ...state.transfers, ...Object.fromEntries(changed) } : state.transfers,
      stale: state.stale || known.length < ticks.length,
      speed: queue?.speed ?? state.speed,
      status: state.status && queue ? { ...state.status, queue: { ...state.status.queue, ...queue } } : state.status,
    };
  },
  forgotten: (state, { id }) => {
    const kept = Object.values(state.transfers).filter((transfer) =>
      id === "all" ? !ENDED.has(transfer.state) : transfer.id !== id,
    );
    return kept.length === Object.keys(state.transfers).length ? state : { ...state, transfers: byId(kept) };
  },
  settings: (state, { settings }) => ({ ...state, settings, status: withCertain(state.status, settings) }),
  token: (state, { hub, has_token, where = null }) => {
    if (!state.status) return state;
    const hubs = state.status.hubs.map((known) =>
      known.name === hub ? { ...known, has_token, token_where: where } : known,
    );
    return { ...state, status: { ...state.status, hubs } };
  },
  "token-note": (state, { hub, note }) => ({ ...state, tokens: { ...state.tokens, [hub]: note } }),
  fault: (state, { fault }) => (state.fault === fault ? state : { ...state, fault }),
};

/**
 * The state after an event. A type of event that is not known (of a newer server) changes nothing.
 *
 * @param {State} state
 * @param {Event} event
 * @returns {State}
 */
export function reduce(state, event) {
  const change = Object.hasOwn(CHANGES, event.type) ? CHANGES[event.type] : undefined;
  return change ? change(state, /** @type {never} */ (event)) : state;
}

const STAGES = ["local", "known", "hubs", "done"];

/**
 * Whether an answer about a plan was overtaken: by a later stage of it, or by its being carried out.
 *
 * @param {View | undefined} view
 * @param {Plan} plan
 */
function isOld(view, plan) {
  if (view?.plan?.id !== plan.id) return false;
  return view.spent || STAGES.indexOf(plan.stage) < STAGES.indexOf(view.plan.stage);
}

/**
 * @param {State} state
 * @param {string} key
 * @param {Partial<View>} changes
 * @returns {State}
 */
function changeView(state, key, changes) {
  const view = state.views[key];
  if (view && Object.keys(changes).length === 0) return state;
  return { ...state, views: { ...state.views, [key]: { ...(view ?? emptyView(key)), ...changes } } };
}

/**
 * @param {string} key
 * @returns {View}
 */
export function emptyView(key) {
  return {
    key,
    name: null,
    inspection: null,
    plan: null,
    planning: false,
    spent: false,
    fault: null,
    choices: {},
    skipped: [],
  };
}

/**
 * @param {readonly Transfer[]} transfers
 * @returns {Record<string, Transfer>}
 */
function byId(transfers) {
  return Object.fromEntries(transfers.map((transfer) => [transfer.id, transfer]));
}

/**
 * The status with the one setting that it repeats.
 *
 * @param {Status | null} status
 * @param {readonly Setting[]} settings
 */
function withCertain(status, settings) {
  const value = settings.find((setting) => setting.key === "fetch_certain")?.value;
  return status && typeof value === "boolean" && status.fetch_certain !== null
    ? { ...status, fetch_certain: value }
    : status;
}

/**
 * The view that is looked at.
 *
 * @param {State} state
 * @returns {View | null}
 */
export function currentView(state) {
  return state.current === null ? null : (state.views[state.current] ?? null);
}

/**
 * The transfers in their order: those under way by position, then the ended ones, newest first.
 *
 * @param {State} state
 * @returns {{ active: Transfer[], ended: Transfer[] }}
 */
export function sortedTransfers(state) {
  const all = Object.values(state.transfers);
  return {
    active: all.filter((one) => !ENDED.has(one.state)).sort((a, b) => a.position - b.position || a.added - b.added),
    ended: all.filter((one) => ENDED.has(one.state)).sort((a, b) => b.changed - a.changed),
  };
}

export class Store {
  #state;
  /** @type {Set<(state: State) => void>} */
  #subscribers = new Set();

  /** @param {Partial<State>} [start] */
  constructor(start = {}) {
    this.#state = /** @type {State} */ ({ ...EMPTY, ...start });
  }

  get state() {
    return this.#state;
  }

  /** @param {Event} event */
  dispatch(event) {
    const next = reduce(this.#state, event);
    if (next === this.#state) return;
    this.#state = next;
    for (const tell of this.#subscribers) tell(next);
  }

  /**
   * Be told of each new state, and of the present one at once.
   *
   * @param {(state: State) => void} tell
   * @returns {() => void} ends it
   */
  subscribe(tell) {
    this.#subscribers.add(tell);
    tell(this.#state);
    return () => void this.#subscribers.delete(tell);
  }
}
