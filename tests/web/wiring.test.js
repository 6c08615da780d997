import assert from "node:assert/strict";
import test from "node:test";
import { Api } from "../../web/api.js";
import { Store } from "../../web/store.js";
import { Wiring } from "../../web/wiring.js";
import { SCENES, SETTINGS, STATUS, TRANSFERS, plan } from "./fixtures.js";

const WORKFLOW = { workflow: { nodes: [] }, name: "a.json" };
const INSPECTION = { format: "ui", references: [], unknown_nodes: [], missing: 0 };

/** A server's answers by "METHOD path", each a value, an [error status, code], or a function of the call. */
class Desk {
  /** @param {Record<string, any>} answers */
  constructor(answers) {
    this.answers = answers;
    /** @type {[string, any][]} */
    this.calls = [];
    /** @type {Record<string, string>} */
    this.kept = {};
    this.store = new Store();
    const memory = {
      getItem: (/** @type {string} */ key) => this.kept[key] ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => void (this.kept[key] = value),
    };
    this.wiring = new Wiring(new Api((path, init) => this.#answer(path, init)), this.store, { memory });
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   */
  async #answer(path, init) {
    const call = `${init.method} ${path.replace("/comfywatchman/v1/", "")}`;
    this.calls.push([call, init.body ? JSON.parse(String(init.body)) : undefined]);
    const given = this.answers[call];
    const answer = typeof given === "function" ? await given(init) : given;
    if (answer === undefined) throw new TypeError("no such server");
    if (!Array.isArray(answer)) return new Response(JSON.stringify(answer));
    const [status, code] = answer;
    return new Response(JSON.stringify({ error: { code, message: code, hint: null } }), { status });
  }

  get asked() {
    return this.calls.map(([call]) => call);
  }

  get view() {
    return this.store.state.views.w;
  }
}

test("a page that starts reads status, transfers and settings", async () => {
  const desk = new Desk({ "GET status": STATUS, "GET transfers": { transfers: TRANSFERS, paused: false, speed: 5 }, "GET settings": { settings: SETTINGS } });
  await desk.wiring.start();
  const { link, status, transfers, settings, speed } = desk.store.state;
  assert.deepEqual([link, status, Object.keys(transfers).length, settings, speed], ["ready", STATUS, 9, SETTINGS, 5]);
});

test("a server that is away is shown as lost, and found again", async () => {
  const desk = new Desk({});
  await desk.wiring.start();
  assert.equal(desk.store.state.link, "lost");
  desk.answers["GET status"] = STATUS;
  await desk.wiring.refresh();
  assert.equal(desk.store.state.link, "ready");
});

test("a workflow is looked at, then planned; the plan is remembered and found after a reload", async () => {
  const desk = new Desk({ "POST inspections": INSPECTION, "POST plans": plan({ id: "p7", stage: "hubs" }), "GET plans/p7": plan({ id: "p7" }) });
  await desk.wiring.look("w", WORKFLOW);
  await desk.wiring.find("w");
  assert.equal(desk.view.planning, true);

  const after = new Desk({ "GET plans/p7": plan({ id: "p7" }) });
  after.kept = desk.kept;
  assert.equal((await after.wiring.recall("w"))?.id, "p7");
  assert.equal(after.view.planning, false);
});

test("a remembered plan that is gone is forgotten without a fault", async () => {
  const desk = new Desk({ "GET plans/p7": [404, "plan-gone"] });
  desk.kept["comfywatchman.plans"] = '{"w":"p7"}';
  assert.equal(await desk.wiring.recall("w"), null);
  assert.deepEqual([desk.kept["comfywatchman.plans"], desk.store.state.fault], ["{}", null]);
});

test("a memory that something else wrote is taken as empty", async () => {
  const desk = new Desk({});
  desk.kept["comfywatchman.plans"] = "{not json";
  assert.equal(await desk.wiring.recall("w"), null);
});

test("a newer look makes an older one void, whichever answer comes first", async () => {
  /** @type {((value: unknown) => void)[]} */
  const waiting = [];
  const desk = new Desk({
    "POST inspections": (/** @type {RequestInit} */ init) =>
      new Promise((resolve, reject) => {
        waiting.push(resolve);
        init.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      }),
  });
  const first = desk.wiring.look("w", WORKFLOW);
  const second = desk.wiring.look("w", { ...WORKFLOW, name: "b.json" });
  waiting[1]?.({ ...INSPECTION, missing: 2 });
  assert.equal(await first, null);
  assert.equal((await second)?.missing, 2);
  assert.deepEqual([desk.view.inspection?.missing, desk.view.fault], [2, null]);
});

test("a fetch carries the user's body to the plan, then plans the rest anew", async () => {
  const desk = new Desk({
    "POST inspections": INSPECTION, "POST plans": plan({ id: "p1" }),
    "POST plans/p1/fetch": { transfers: [TRANSFERS[0]], skipped: [] },
  });
  await desk.wiring.look("w", WORKFLOW);
  await desk.wiring.find("w");
  const body = { consent: /** @type {const} */ ("selected"), items: { k: { candidate: 0, agreed: true } }, remember: true };
  desk.answers["POST plans"] = plan({ id: "p2" });
  await desk.wiring.fetch("w", body);
  assert.deepEqual(desk.calls.at(-2), ["POST plans/p1/fetch", body]);
  assert.deepEqual([desk.view.plan?.id, desk.view.spent], ["p2", false]);
  assert.ok(desk.store.state.transfers.t1);
});

test("a fault of what the user asked for is shown until the next thing goes well", async () => {
  const desk = new Desk({ "PATCH transfers/t": [409, "already-ended"], "GET transfers": { transfers: [], speed: 0 } });
  await desk.wiring.changeTransfer("t", "pause");
  assert.equal(desk.store.state.fault?.code, "already-ended");
  desk.answers["PATCH transfers/t"] = {};
  await desk.wiring.changeTransfer("t", "pause");
  assert.equal(desk.store.state.fault, null);
});

test("events: ticks of a transfer nobody knew make the list be read; a plan's news are read; others are let by", async () => {
  const desk = new Desk({
    "GET transfers": { transfers: TRANSFERS, speed: 1 }, "POST inspections": INSPECTION,
    "POST plans": plan({ id: "p1", stage: "local" }), "GET plans/p1": plan({ id: "p1" }),
  });
  await desk.wiring.hear("comfywatchman.transfer", { transfers: [{ id: "t1", state: "running" }] });
  assert.equal(Object.keys(desk.store.state.transfers).length, 9);
  await desk.wiring.look("w", WORKFLOW);
  await desk.wiring.find("w");
  await desk.wiring.hear("comfywatchman.operation", { operation: "plan", id: "p1", stage: "done" });
  assert.equal(desk.view.plan?.stage, "done");
  const calls = desk.calls.length;
  await desk.wiring.hear("comfywatchman.operation", { operation: "plan", id: "other-page" });
  await desk.wiring.hear("comfywatchman.unheard", null);
  assert.equal(desk.calls.length, calls);
});

test("a server that is away takes nothing from what was known; one that answers does", async () => {
  const known = plan({ id: "p1", stage: "done" });
  const desk = new Desk({ "POST inspections": INSPECTION, "POST plans": known });
  await desk.wiring.look("w", WORKFLOW);
  await desk.wiring.find("w");

  delete desk.answers["POST inspections"];
  await desk.wiring.look("w", WORKFLOW);
  assert.deepEqual([desk.view.plan, desk.view.fault?.code, desk.view.planning], [known, "network", false]);

  desk.answers["POST inspections"] = [400, "invalid-workflow"];
  await desk.wiring.look("w", WORKFLOW);
  assert.deepEqual([desk.view.plan, desk.view.fault?.code], [null, "invalid-workflow"]);
});

test("an event that overtakes the answer of its plan is not lost", async () => {
  const desk = new Desk({
    "POST inspections": INSPECTION,
    "POST plans": async () => {
      await desk.wiring.hear("comfywatchman.operation", { id: "p1" });
      return plan({ id: "p1", stage: "known" });
    },
    "GET plans/p1": plan({ id: "p1", stage: "done" }),
  });
  await desk.wiring.look("w", WORKFLOW);
  const found = await desk.wiring.find("w");
  assert.deepEqual([found?.stage, desk.view.plan?.stage, desk.view.planning], ["done", "done", false]);
});

test("a server that refuses to answer is not one that is away", async () => {
  const desk = new Desk({ "GET status": [403, "not-allowed"] });
  await desk.wiring.start();
  desk.answers = { "GET status": [403, "not-allowed"], "GET transfers": [403, "not-allowed"], "GET settings": [403, "not-allowed"] };
  desk.store.dispatch({ type: "link", link: "ready" });
  await desk.wiring.start();
  assert.deepEqual([desk.store.state.link, desk.store.state.fault?.code], ["ready", "not-allowed"]);
});

test("a plan that a server begun anew does not know is made again, once", async () => {
  const desk = new Desk({ "POST inspections": INSPECTION, "POST plans": plan({ id: "p1", stage: "known" }), "GET plans/p1": [404, "plan-gone"] });
  await desk.wiring.look("w", WORKFLOW);
  await desk.wiring.find("w");
  desk.answers["POST plans"] = plan({ id: "p2" });
  await desk.wiring.hear("comfywatchman.operation", { id: "p1" });
  await desk.wiring.hear("comfywatchman.operation", { id: "p1" });
  assert.deepEqual([desk.view.plan?.id, desk.view.planning], ["p2", false]);
  assert.equal(desk.asked.filter((call) => call === "GET plans/p1").length, 1);
});

test("a token is set, then tested; it stays nowhere in the state", async () => {
  const desk = new Desk({ "GET status": STATUS, "PUT tokens/civitai": { hub: "civitai", has_token: true, where: "file" }, "POST tokens/civitai/test": { account: "me" } });
  await desk.wiring.refresh();
  await desk.wiring.setToken("civitai", "s3cret-t0ken");
  const { status, tokens } = desk.store.state;
  assert.deepEqual([status?.hubs[0].has_token, tokens.civitai.state], [true, "good"]);
  assert.ok(!JSON.stringify([desk.store.state, desk.kept]).includes("s3cret"));
  desk.answers["POST tokens/civitai/test"] = [403, "login-required"];
  await desk.wiring.tokens.test("civitai");
  const { state, message } = desk.store.state.tokens.civitai;
  assert.equal(state, "bad");
  assert.match(message, /does not accept this token/); // the server's hint is for the command line
});

test("a token that works makes locked files be asked about again", async () => {
  const locked = { ...plan({ id: "p1" }), items: SCENES.locked.state.views.w1.plan?.items ?? [] };
  const desk = new Desk({
    "POST inspections": INSPECTION, "POST plans": locked, "PUT tokens/civitai": { has_token: true, where: "file" },
    "POST tokens/civitai/test": { account: "me" },
  });
  await desk.wiring.look("w", WORKFLOW);
  await desk.wiring.find("w");
  desk.answers["POST plans"] = plan({ id: "p2" });
  await desk.wiring.setToken("civitai", "s");
  assert.equal(desk.view.plan?.id, "p2");
});

test("a page that was cut off reads the plan that grew meanwhile", async () => {
  const desk = new Desk({ "POST inspections": INSPECTION, "POST plans": plan({ id: "p1", stage: "known" }), "GET plans/p1": plan({ id: "p1" }) });
  await desk.wiring.look("w", WORKFLOW);
  await desk.wiring.find("w");
  await desk.wiring.start();
  assert.equal(desk.view.planning, false);
});

test("all that failed is tried again at once, and only that", async () => {
  const desk = new Desk({ "PATCH transfers/all": {}, "GET transfers": { transfers: [], speed: 0 } });
  await desk.wiring.changeTransfer("all", "retry");
  await desk.wiring.changeTransfer("all", "resume");
  assert.deepEqual(desk.calls.filter(([call]) => call.startsWith("PATCH")).map(([, body]) => body), [
    { state: "queued", of: ["failed"] }, { state: "queued" },
  ]);
});

test("wishes of a panel are carried out until it is unwired", async () => {
  const desk = new Desk({ "PATCH transfers/b": {}, "GET transfers": { transfers: [], speed: 0 } });
  const panel = new EventTarget();
  const unwire = desk.wiring.wire(panel);
  const wish = () => panel.dispatchEvent(new CustomEvent("wm-move", { detail: { id: "b", before: null } }));
  wish();
  await new Promise((done) => setTimeout(done, 10));
  assert.deepEqual(desk.calls, [["PATCH transfers/b", { before: null }], ["GET transfers", undefined]]);
  unwire();
  wish();
  assert.equal(desk.calls.length, 2);
});
