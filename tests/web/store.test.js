import assert from "node:assert/strict";
import test from "node:test";
import { EMPTY, Store, currentView, reduce, sortedTransfers } from "../../web/store.js";
import { PAYLOADS, SETTINGS, STATUS, TRANSFERS, plan, transfer } from "./fixtures.js";

/** @typedef {import("../../web/store.js").Event} Event */
/** @typedef {import("../../web/types.js").State} State */

/** @type {Event[]} one of each type, and the odd ones */
const EVENTS = [
  { type: "link", link: "lost" },
  { type: "status", status: STATUS },
  { type: "workflow", key: "w1", name: "a.json" },
  { type: "workflow", key: "w2" },
  { type: "inspection", key: "w1", inspection: { format: "ui", references: [], unknown_nodes: [], missing: 0 } },
  { type: "planning", key: "w1" },
  { type: "plan", key: "w1", plan: plan({ stage: "hubs" }) },
  { type: "plan", key: "w1", plan: plan({ stage: "done" }) },
  { type: "choice", key: "w1", item: "i1", choice: { agreed: true } },
  { type: "choice", key: "w1", item: "i1", choice: { candidate: 2 } },
  { type: "fetched", key: "w1", transfers: [TRANSFERS[0]], skipped: [], remember: true },
  { type: "no-plan", key: "w1", fault: { code: "x", message: "m", hint: null } },
  { type: "transfers", transfers: TRANSFERS, speed: 5 },
  { type: "ticks", transfers: [{ id: "t1", state: "running", done: 7 }], queue: { speed: 3, running: 1 } },
  { type: "ticks", transfers: [{ id: "unheard-of", state: "queued" }] },
  { type: "forgotten", id: "t6" },
  { type: "forgotten", id: "all" },
  { type: "settings", settings: SETTINGS },
  { type: "token", hub: "civitai", has_token: true, where: "file" },
  { type: "token-note", hub: "civitai", note: { state: "good", message: PAYLOADS[0] } },
  { type: "fault", fault: { code: "x", message: "m", hint: null } },
  { type: "closed", key: "w1" },
];

/** @param {any} value */
function freeze(value) {
  if (value === null || typeof value !== "object" || Object.isFrozen(value)) return value;
  Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

/**
 * Walks through events in many orders.
 *
 * @param {(state: State, event: Event) => void} look
 */
function wander(look) {
  let seed = 7;
  const next = () => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31);
  for (let walk = 0; walk < 60; walk += 1) {
    let state = freeze({ ...EMPTY });
    for (let step = 0; step < 40; step += 1) {
      const event = freeze(structuredClone(EVENTS[next() % EVENTS.length]));
      look(state, event);
      state = freeze(reduce(state, event));
    }
  }
}

test("reduce changes nothing in place and gives the same for the same", () => {
  wander((state, event) => assert.deepEqual(reduce(state, event), reduce(state, event)));
});

test("an event twice is an event once", () => {
  wander((state, event) => {
    const once = reduce(state, event);
    assert.deepEqual(reduce(once, event), once);
  });
});

test("the current workflow is always one that is known, and views know their keys", () => {
  wander((state, event) => {
    const next = reduce(state, event);
    assert.ok(next.current === null || next.views[next.current]);
    for (const [key, view] of Object.entries(next.views)) assert.equal(view.key, key);
  });
});

test("each transfer is listed once, active or ended", () => {
  wander((state) => {
    const { active, ended } = sortedTransfers(state);
    assert.deepEqual([...active, ...ended].map(({ id }) => id).sort(), Object.keys(state.transfers).sort());
  });
});

test("an event of a newer server changes nothing", () => {
  const state = { ...EMPTY };
  for (const type of ["never-heard", "constructor", "__proto__"]) {
    assert.equal(reduce(state, /** @type {any} */ ({ type })), state);
  }
});

test("a tick of a transfer that is not known asks for the list; the list answers", () => {
  const told = reduce({ ...EMPTY }, { type: "ticks", transfers: [{ id: "t9", state: "queued" }] });
  assert.equal(told.stale, true);
  assert.deepEqual(told.transfers, {});
  assert.equal(reduce(told, { type: "transfers", transfers: TRANSFERS }).stale, false);
});

test("ticks keep what they do not tell", () => {
  const known = reduce({ ...EMPTY }, { type: "transfers", transfers: TRANSFERS });
  const { transfers } = reduce(known, { type: "ticks", transfers: [{ id: "t1", state: "paused", done: 9 }] });
  assert.deepEqual(transfers.t1, { ...TRANSFERS[0], state: "paused", done: 9 });
  assert.equal(transfers.t2, known.transfers.t2);
});

test("choices of an item add up, and another plan keeps them", () => {
  const walk = (/** @type {Event[]} */ ...events) => events.reduce(reduce, { ...EMPTY });
  const state = walk(
    { type: "workflow", key: "w" },
    { type: "choice", key: "w", item: "i", choice: { candidate: 2 } },
    { type: "choice", key: "w", item: "i", choice: { root: "r3" } },
    { type: "plan", key: "w", plan: plan({ id: "p2" }) },
  );
  assert.deepEqual(currentView(state)?.choices, { i: { candidate: 2, root: "r3" } });
});

test("a fetched plan is spent until another comes, and the answer is remembered", () => {
  const walk = (/** @type {Event[]} */ ...events) => events.reduce(reduce, { ...EMPTY });
  const spent = walk(
    { type: "status", status: STATUS },
    { type: "plan", key: "w", plan: plan({}) },
    { type: "fetched", key: "w", transfers: [], skipped: [], remember: false },
  );
  assert.equal(spent.views.w.spent, true);
  assert.equal(spent.status?.fetch_certain, false);
  assert.equal(reduce(spent, { type: "plan", key: "w", plan: plan({}) }), spent, "an answer that came too late");
  assert.equal(reduce(spent, { type: "plan", key: "w", plan: plan({ id: "p2" }) }).views.w.spent, false);
});

test("a plan's stages only go forward, whatever order its answers come in", () => {
  const at = (/** @type {any} */ stage, id = "p1") => /** @type {Event} */ ({ type: "plan", key: "w", plan: plan({ stage, id }) });
  const known = reduce({ ...EMPTY }, at("known"));
  assert.equal(reduce(known, at("local")), known);
  assert.equal(reduce(known, at("done")).views.w.planning, false);
  assert.equal(reduce(known, at("local", "p2")).views.w.plan?.id, "p2");
});

test("transfers stand in the queue's order, then the newest end first", () => {
  const list = [
    transfer({ id: "b", position: 2 }), transfer({ id: "a", position: 1 }),
    transfer({ id: "old", state: "verified", changed: 1 }), transfer({ id: "new", state: "failed", changed: 2 }),
  ];
  const { active, ended } = sortedTransfers(reduce({ ...EMPTY }, { type: "transfers", transfers: list }));
  assert.deepEqual([active, ended].map((part) => part.map(({ id }) => id)), [["a", "b"], ["new", "old"]]);
});

test("subscribers hear the present state, each change, and nothing after they left", () => {
  const store = new Store({ base: "/api" });
  /** @type {State[]} */
  const heard = [];
  const leave = store.subscribe((state) => heard.push(state));
  store.dispatch({ type: "link", link: "ready" });
  store.dispatch({ type: "link", link: "ready" });
  leave();
  store.dispatch({ type: "link", link: "lost" });
  assert.deepEqual(heard.map(({ link, base }) => [link, base]), [["connecting", "/api"], ["ready", "/api"]]);
});
