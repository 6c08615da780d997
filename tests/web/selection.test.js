import assert from "node:assert/strict";
import test from "node:test";
import {
  commonReason, consentKind, failedTry, fetchBody, fits, groupItems, hasOffer, isTaken, itemsOf, mustAsk, neededOn, rootsFor, takenItems, underway,
} from "../../web/selection.js";
import { countMissing, needsOf } from "../../web/needs.js";
import { SCENES, STATUS, candidate, inspection, item, plan, transfer, view } from "./fixtures.js";

/** @typedef {import("../../web/types.js").Candidate} Candidate */

const EVERYTHING = SCENES.everything.state.views.w1;
const TRANSFERS = Object.values(SCENES.everything.state.transfers);

test("items that are here and named rightly are in no group; every other one is in exactly one", () => {
  const items = itemsOf(EVERYTHING);
  const grouped = groupItems(items, TRANSFERS).flatMap(([, members]) => members);
  assert.equal(new Set(grouped).size, grouped.length);
  assert.deepEqual(items.filter((one) => !grouped.includes(one)).map((one) => one.name), ["here.safetensors"]);
});

test("groups come certain first", () => {
  assert.deepEqual(
    groupItems(itemsOf(EVERYTHING), TRANSFERS).map(([name]) => name),
    ["fetching", "certain", "confirm", "decide", "asking", "locked", "missing", "refused", "elsewhere"],
  );
});

test("what is ticked beforehand needs no decision, and what needs one is not ticked", () => {
  const shown = view({ plan: plan({ items: SCENES.everything.state.views.w1.plan?.items ?? [] }) });
  for (const [name, members] of groupItems(itemsOf(shown), [])) {
    const taken = members.filter((one) => isTaken(one, undefined));
    const isTakenGroup = name === "certain" || name === "confirm";
    assert.equal(taken.length, isTakenGroup ? members.length : 0, name);
  }
});

test("a file that is here under another name is not missing: badge and tab count alike", () => {
  const items = [
    item({ key: "a", name: "a.safetensors" }),
    item({ key: "b", name: "b.safetensors", state: "present", relink: "sub/b.safetensors" }),
  ];
  const looked = view({ inspection: inspection(items, "X"), plan: plan({ items }) });
  assert.equal(countMissing(looked), 1);
  assert.equal(countMissing(looked), needsOf(looked).length);
  assert.equal(countMissing(view({ plan: plan({ items }) })), 1);
  assert.equal(countMissing(null), 0);
});

test("the reason that most have in common is said once, one that nobody shares is not", () => {
  const told = (/** @type {string[]} */ ...reasons) => reasons.map((reason, at) => item({ key: String(at), reason }));
  assert.equal(commonReason(told("x", "y", "x")), "x");
  assert.equal(commonReason(told("", "")), "");
  assert.equal(commonReason(told("x", "y")), null);
  assert.equal(commonReason([]), null);
});

test("consent: certain ones and plain ones stand in the plan, hosts and pickles need a word, refused ones none helps", () => {
  /** @type {[Partial<Candidate>, "row" | "word" | null][]} */
  const cases = [
    [{ consent: "automatic" }, "row"],
    [{ consent: "plan" }, "row"],
    [{ consent: "plan", format: "pickle" }, "word"],
    [{ consent: "automatic", format: "pickle" }, "word"],
    [{ consent: "file" }, "word"],
    [{ consent: "refused" }, null],
    [{ consent: null }, null],
    [{ consent: "automatic", transfer: false }, null],
  ];
  for (const [facts, kind] of cases) assert.equal(consentKind(candidate(facts)), kind, JSON.stringify(facts));
  assert.equal(consentKind(null), null);
});

test("a file that needs a word of its own is never taken without it", () => {
  const doubtful = item({ key: "k", state: "confirm", chosen: 0, candidates: [candidate({ consent: "file" })] });
  assert.equal(isTaken(doubtful, undefined), false);
  assert.equal(isTaken(doubtful, { root: "r2" }), false);
  assert.equal(isTaken(doubtful, { agreed: true }), true);
});

test("a word given for one candidate does not hold for another", () => {
  const one = item({
    key: "k", state: "choose",
    candidates: [candidate({ index: 0, consent: "plan" }), candidate({ index: 1, consent: "file" })],
  });
  assert.equal(isTaken(one, { candidate: 0 }), true);
  assert.equal(isTaken(one, { candidate: 1, agreed: undefined }), false);
});

test("what is only offered among several is not taken until it was chosen or agreed to", () => {
  const one = item({ key: "k", state: "choose", chosen: 1, candidates: [candidate({ index: 0 }), candidate({ index: 1, consent: "plan" })] });
  assert.equal(isTaken(one, undefined), false);
  assert.equal(isTaken(one, { agreed: true }), true);
  assert.equal(isTaken(one, { candidate: 0 }), true);
});

test("a newer inspection than the plan has the last word on what is here and what is named", () => {
  const gone = item({ key: "1", name: "gone.sft", folder: "vae", state: "certain" });
  const came = item({ key: "2", name: "came.sft", folder: "vae", state: "certain" });
  const open = item({ key: "3", name: "open.sft", folder: "vae", state: "certain", chosen: 0, candidates: [candidate({})] });
  const added = item({ key: "4", name: "added.sft", folder: "vae" });
  const now = inspection([{ ...came, state: "present", relink: "x/came.sft" }, open, added], "x");
  const seen = view({ plan: plan({ items: [gone, came, open] }), inspection: now });
  assert.deepEqual(
    itemsOf(seen).map(({ name, state, relink }) => [name, state, relink]),
    [["came.sft", "present", "x/came.sft"], ["open.sft", "certain", null], ["added.sft", "missing", null]],
  );
  assert.deepEqual(takenItems(seen, []).map((one) => one.item.name), ["open.sft"]);
});

test("there is an offer where a word of the user's would fetch something", () => {
  const offers = (/** @type {any} */ facts) => hasOffer(view({ plan: plan({ items: [item({ key: "k", ...facts })] }) }));
  assert.equal(offers({ state: "confirm", candidates: [candidate({ consent: "file" })] }), true);
  assert.equal(offers({ state: "choose", candidates: [candidate({ consent: "refused" }), candidate({})] }), true);
  assert.equal(offers({ state: "choose", candidates: [candidate({ transfer: false })] }), false);
  assert.equal(offers({ state: "locked", candidates: [candidate({})] }), false);
  assert.equal(offers({}), false);
});

test("states that cannot be fetched are not, whatever was chosen", () => {
  for (const state of /** @type {const} */ (["locked", "refused", "missing", "asking", "present"])) {
    const one = item({ key: "k", state, chosen: 0, candidates: [candidate({})] });
    assert.equal(isTaken(one, { agreed: true }), false, state);
  }
});

test("the call names each taken item with its candidate, and no other", () => {
  const body = fetchBody(EVERYTHING, TRANSFERS, true);
  assert.deepEqual(Object.keys(body.items), ["4.ckpt_name", "8.vae_name", "20.lora_name", "10.lora_name"]);
  assert.deepEqual(body.items["4.ckpt_name"], { candidate: 0, agreed: true, root: null });
  assert.equal(body.remember, true);
  assert.equal("remember" in fetchBody(EVERYTHING, TRANSFERS), false);
});

test("what is on its way is not fetched again, and a spent plan fetches nothing", () => {
  const taken = takenItems(EVERYTHING, TRANSFERS).map((one) => one.item.key);
  assert.equal(taken.includes("23.ckpt_name"), false);
  assert.equal(takenItems(EVERYTHING, []).some((one) => one.item.key === "23.ckpt_name"), true);
  assert.deepEqual(takenItems({ ...EVERYTHING, spent: true }, []), []);
});

test("a transfer is an item's by its place or by the widget that named it, in its folder", () => {
  const one = item({ key: "k", name: "a.sft", folder: "vae", target: { root: "r4", folder: "vae", path: "x/a.sft" } });
  const on = (/** @type {any} */ facts) => underway(one, [transfer({ id: "t", folder: "vae", ...facts })]) !== null;
  const reference = { node_id: "1", input: "vae_name", name: "a.sft", folder: "vae" };
  assert.equal(on({ path: "x/a.sft" }), true);
  assert.equal(on({ path: "other", references: [reference] }), true);
  assert.equal(on({ path: "x/a.sft", folder: "loras" }), false);
  assert.equal(on({ path: "x/a.sft", state: "verified" }), false);
});

test("the last try to bring an item tells why it failed, until one succeeds", () => {
  const one = item({ key: "k", name: "a.sft", folder: "vae" });
  const tried = (/** @type {any} */ ...states) =>
    states.map((state, at) => transfer({ id: `t${at}`, folder: "vae", state, references: [{ node_id: "1", input: "vae_name", name: "a.sft", folder: "vae" }] }));
  assert.equal(failedTry(one, tried("failed", "verified"))?.id, "t0");
  assert.equal(failedTry(one, tried("verified", "failed")), null);
  assert.equal(failedTry({ ...one, folder: "loras" }, tried("failed")), null);
});

test("what a drive must hold follows the chosen folder", () => {
  const one = item({ key: "k", folder: "loras", state: "certain", chosen: 0, candidates: [candidate({ size: 3e12 })], target: { root: "r2", folder: "loras", path: "a" } });
  const at = (/** @type {any} */ choices) => {
    const seen = view({ plan: plan({ items: [one] }), choices });
    return neededOn(takenItems(seen, []), seen, STATUS).map(({ id, needed, enough }) => [id, needed, enough]);
  };
  assert.deepEqual(at({}), [["d1", 3e12, false]]);
  assert.deepEqual(at({ k: { root: "r3" } }), [["d2", 3e12, false]]);
  assert.deepEqual(rootsFor(STATUS, "loras").map(({ id }) => id), ["r2", "r3"]);
});

test("the first question comes only before certain files, and only when nobody was asked", () => {
  const taken = takenItems(EVERYTHING, TRANSFERS);
  assert.equal(mustAsk(STATUS, taken), true);
  assert.equal(mustAsk({ ...STATUS, fetch_certain: false }, taken), false);
  assert.equal(mustAsk(STATUS, taken.filter((one) => one.candidate.consent !== "automatic")), false);
  assert.equal(mustAsk(null, taken), false);
});

test("without a plan the inspection's references are items, one a file; muted ones are left out", () => {
  const reference = (/** @type {string} */ key, /** @type {any} */ facts) => ({
    key, node_id: key, node_type: "VAELoader", input: "vae_name", folder: "vae", name: "a.sft", active: true,
    resolution: { state: /** @type {const} */ ("missing"), evidence: null }, ...facts,
  });
  const references = [
    reference("1", {}), reference("2", {}), reference("3", { active: false, name: "muted.sft" }),
    reference("4", { name: "b.sft", resolution: { state: "present", evidence: "digest" }, relink: "x/b.sft" }),
  ];
  const seen = view({ inspection: { format: "ui", references, unknown_nodes: [], missing: 1 } });
  assert.deepEqual(
    itemsOf(seen).map((one) => [one.name, one.state, one.nodes.length, one.relink]),
    [["a.sft", "missing", 2, null], ["b.sft", "present", 1, "x/b.sft"]],
  );
  assert.equal(itemsOf({ ...seen, planning: true })[0].state, "asking");
});

test("a filter looks at names, folders and nodes, every word of it", () => {
  const one = item({ key: "k", name: "Flux.sft", folder: "vae", nodes: [{ id: "12:3", type: "VAELoader", title: "Décode", input: "x" }] });
  for (const text of ["", "flux", "VAE flux", "12:3", "décode"]) assert.equal(fits(one, text), true, text);
  assert.equal(fits(one, "flux lora"), false);
});
