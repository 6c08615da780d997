import assert from "node:assert/strict";
import test from "node:test";
import { tokenNotes } from "../../web/tokens.js";
import { STATUS, plan, state, transfer, view } from "./fixtures.js";

/** @import { Fault, Transfer } from "../../web/types.js" */

const REFUSED = { code: "login-required", message: "401", hint: null };
const HUB = "huggingface"; // its token is set

/** @param {[changed: number, error: Fault | null][]} ends */
function after(...ends) {
  const list = ends.map(([changed, error], at) =>
    transfer({ id: `t${at}`, hub: HUB, state: error ? "failed" : "verified", error, changed }),
  );
  return state({ transfers: Object.fromEntries(list.map((one) => [one.id, one])) });
}

test("a token that its hub refused in the last transfer is told as refused", () => {
  assert.equal(tokenNotes(after([1, REFUSED]))[HUB].refused, true);
  assert.equal(tokenNotes(after([1, null], [2, REFUSED]))[HUB].refused, true);
});

test("what came since, another fault, or no token tell of no refusal", () => {
  const elsewhere = { ...REFUSED, code: "no-space" };
  assert.deepEqual(tokenNotes(after([2, null], [1, REFUSED])), {});
  assert.deepEqual(tokenNotes(after([1, elsewhere])), {});
  const none = after([1, REFUSED]);
  const hubs = STATUS.hubs.map((hub) => ({ ...hub, has_token: false }));
  assert.deepEqual(tokenNotes({ ...none, status: { ...STATUS, hubs } }), {});
});

test("a plan's hub that refuses the token tells so too", () => {
  const faults = [{ ...REFUSED, hub: HUB }, { ...REFUSED, hub: "civitai" }];
  const notes = tokenNotes(state({ views: { w1: view({ plan: plan({ faults }) }) } }));
  assert.deepEqual(Object.keys(notes), [HUB]);
});

test("the last test of a token counts for more than what was before", () => {
  const good = /** @type {const} */ ({ state: "good", message: "It works." });
  assert.deepEqual(tokenNotes({ ...after([1, REFUSED]), tokens: { [HUB]: good } }), { [HUB]: good });
});
