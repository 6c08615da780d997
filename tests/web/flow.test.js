import assert from "node:assert/strict";
import test from "node:test";
import { offerBridge, withdrawBridge } from "../../web/bridge.js";
import { Memory } from "../../web/memory.js";
import { FlowStage, rest } from "./flowstage.js";

const A = "a.safetensors";
const B = "b.safetensors";

test.afterEach(() => FlowStage.closeAll());

/** @param {ConstructorParameters<typeof FlowStage>[0]} how */
async function opened(how) {
  const stage = new FlowStage(how);
  await stage.flow.connect();
  await stage.flow.loaded();
  return stage;
}

test("a workflow that is opened is looked at and planned once, however often that is told", async () => {
  const stage = await opened({ missing: [A, B] });
  await stage.flow.loaded();
  stage.flow.changed();
  stage.flow.changed();
  await rest();
  assert.deepEqual([stage.count("POST inspections"), stage.count("POST plans")], [1, 1]);
  assert.deepEqual(stage.front.done.filter(([name]) => name === "notify").length, 1);
  assert.deepEqual(stage.front.done.at(-1), ["badge", 2]);
});

test("who wants no notices gets none, nor who has the panel open", async () => {
  for (const quiet of [{ settings: { "Comfywatchman.Panel.Notices": false } }, { isPanelOpen: true }]) {
    const stage = new FlowStage({ missing: [A] });
    Object.assign(stage.front, quiet);
    await stage.flow.loaded();
    assert.equal(stage.front.count("notify"), 0);
  }
});

test("a workflow that lacks nothing asks no hub", async () => {
  const stage = new FlowStage({ missing: [A] });
  stage.here.add(A);
  await stage.flow.loaded();
  assert.equal(stage.count("POST plans"), 0);
});

test("what is certain comes by itself where the user said so, each file once", async () => {
  const stage = await opened({ missing: [A], fetch_certain: true });
  await stage.flow.look({ isForced: true });
  assert.equal(stage.asked.filter((call) => call.endsWith("/fetch")).length, 1);
  assert.deepEqual(Object.keys(stage.transfers), [`t-${A}`]);
});

test("nothing comes by itself before the user was asked", async () => {
  const stage = await opened({ missing: [A], fetch_certain: null });
  assert.deepEqual(stage.transfers, {});
});

test("a file that came under another name is relinked; lists are read before, the graph looked at after", async () => {
  const stage = await opened({ missing: [A], fetch_certain: true });
  await stage.arrive(A, { as: "ink/a (civitai-7).safetensors" });
  assert.deepEqual(stage.front.widgets, { 1: "ink/a (civitai-7).safetensors" });
  const order = stage.front.done.map(([name]) => name).filter((name) => ["refreshLists", "relink", "refreshMarks"].includes(name));
  assert.deepEqual(order, ["refreshLists", "relink", "refreshMarks"]);
  assert.deepEqual(stage.front.done.at(-1)?.[0], "notify");
  assert.deepEqual(stage.front.done.filter(([name]) => name === "badge").at(-1), ["badge", 0]);
});

test("arrivals close to each other are taken in together", async () => {
  const stage = await opened({ missing: [A, B], fetch_certain: true });
  await Promise.all([stage.arrive(A), stage.arrive(B)]);
  assert.equal(stage.front.count("refreshLists"), 1);
});

test("what came and what did not is told once, when nothing is on its way any more", async () => {
  const stage = await opened({ missing: [A, B], fetch_certain: true });
  const told = () => stage.front.done.filter(([name]) => name === "notify").slice(1).map(([, notice]) => notice);
  await stage.arrive(A);
  await rest();
  assert.deepEqual(told(), []);
  const failed = { ...stage.transfers[`t-${B}`], state: "failed" };
  stage.transfers[failed.id] = failed;
  await stage.flow.hear("comfywatchman.transfer", { transfers: [failed] });
  await rest();
  assert.deepEqual(told().map(({ severity, summary }) => [severity, summary]), [
    ["success", "1 model is here and verified"],
    ["warn", "1 model could not be fetched"],
  ]);
});

test("a transfer that ended before this page was there is no news; one it awaited is, after a reload too", async () => {
  const old = new FlowStage({ missing: [A] });
  old.transfers.t = { id: "t", state: "verified", references: [], relink: null };
  await old.flow.connect();
  await rest();
  assert.equal(old.front.count("refreshLists"), 0);

  const stage = await opened({ missing: [A], fetch_certain: true });
  await stage.arrive(A, { as: "x.safetensors", isTold: false });
  stage.reload();
  await stage.flow.connect();
  await rest();
  assert.deepEqual(stage.front.widgets, { 1: "x.safetensors" });
});

test("a plan whose event was lost is asked for again", async () => {
  const stage = await opened({ missing: [A], stage: "known", fetch_certain: true });
  assert.deepEqual(stage.transfers, {});
  stage.stage = "done";
  await rest(80);
  assert.equal(stage.store.state.views.w.planning, false);
  assert.deepEqual(Object.keys(stage.transfers), [`t-${A}`]);
});

test("a transfer whose end was lost is asked for when all is silent; then no more", async () => {
  const stage = await opened({ missing: [A], fetch_certain: true });
  await stage.arrive(A, { isTold: false });
  await rest(120);
  assert.equal(stage.front.count("refreshLists"), 1);
  const asked = stage.count("GET transfers");
  await rest(120);
  assert.equal(stage.count("GET transfers"), asked);
});

test("a server that was away is read anew, and what came meanwhile is taken in", async () => {
  const stage = await opened({ missing: [A], fetch_certain: true });
  stage.flow.disconnected();
  assert.equal(stage.store.state.link, "lost");
  await stage.arrive(A, { isTold: false });
  await stage.flow.reconnected();
  await rest();
  assert.equal(stage.store.state.link, "ready");
  assert.equal(stage.store.state.views.w.inspection?.missing, 0);
});

test("a look that failed is made again at the next change", async () => {
  const stage = new FlowStage({ missing: [A] });
  stage.isDown = true;
  await stage.flow.loaded();
  stage.isDown = false;
  stage.flow.changed();
  await rest();
  assert.equal(stage.count("POST inspections"), 1);
});

test("looking for sources again makes one new plan, whether there was one or not", async () => {
  const stage = new FlowStage({ missing: [A] });
  await stage.flow.showMissing();
  assert.deepEqual([stage.front.isPanelOpen, stage.plans], [true, 1]);
  await stage.flow.rescan();
  assert.equal(stage.plans, 2);
});

test("a workflow that is opened is looked at as itself: choices in another stay, and the badge does not blink", async () => {
  const stage = await opened({ missing: [A] });
  stage.store.dispatch({ type: "choice", key: "w", item: "1.lora_name", choice: { agreed: false } });
  stage.front.widgets = { 1: A, 2: B };
  stage.front.opening = { key: "w2", name: "b" };

  await stage.flow.loaded();

  const { w, w2 } = stage.store.state.views;
  assert.deepEqual([w.inspection?.missing, w2.inspection?.missing], [1, 2]);
  assert.deepEqual(w.choices, { "1.lora_name": { agreed: false } });
  const badges = stage.front.done.filter(([name]) => name === "badge").map(([, count]) => count);
  assert.deepEqual([...new Set(badges)], [1, 2]);
});

test("a page that the server does not answer says so once, with what helps", async () => {
  const stage = new FlowStage({ missing: [A] });
  stage.refusal = { code: "not-allowed", message: "not answered: this page comes over the network", hint: "Set allow_lan." };
  await stage.flow.connect();
  await stage.flow.loaded();
  await stage.flow.reconnected();
  const told = stage.front.done.filter(([name]) => name === "notify").map(([, notice]) => /** @type {any} */ (notice));
  assert.equal(told.length, 1);
  assert.equal(told[0].detail, "Not answered: this page comes over the network. Set allow_lan.");
});

// ── Run ──

test("Run offers the fetch, and runs when the models are here", async () => {
  const stage = await opened({ missing: [A, B] });
  await stage.flow.runs.pressed();
  const [, question] = /** @type {[string, any]} */ (stage.front.done.find(([name]) => name === "ask"));
  assert.deepEqual(question.itemList, [`${A} – 5 B, CivitAI: same digest`, `${B} – 5 B, CivitAI: same digest`]);
  await stage.arrive(A);
  assert.equal(stage.front.count("run"), 0);
  await stage.arrive(B);
  assert.equal(stage.front.count("run"), 1);
});

test("Run offers nothing for models that have come since the last look", async () => {
  const stage = await opened({ missing: [A] });
  stage.here.add(A);
  await stage.flow.runs.pressed();
  assert.equal(stage.front.count("ask"), 0);
});

test("the same need is offered once; another one is offered again", async () => {
  const stage = await opened({ missing: [A] });
  stage.front.answer = false;
  await stage.flow.runs.pressed();
  await stage.flow.runs.pressed();
  assert.deepEqual([stage.front.count("ask"), stage.transfers], [1, {}]);
  stage.front.widgets[2] = B;
  await stage.flow.runs.pressed();
  assert.equal(stage.front.count("ask"), 2);
});

test("a run that waits is remembered over a reload", async () => {
  const stage = await opened({ missing: [A] });
  await stage.flow.runs.fetchAndRun();
  stage.reload();
  await stage.flow.connect();
  await stage.flow.loaded();
  assert.equal(stage.front.count("run"), 0);
  await stage.arrive(A);
  assert.equal(stage.front.count("run"), 1);
});

test("a run whose model did not come says so, and runs not", async () => {
  const stage = await opened({ missing: [A] });
  await stage.flow.runs.fetchAndRun();
  const failed = { ...stage.transfers[`t-${A}`], state: "failed" };
  stage.transfers[failed.id] = failed;
  await stage.flow.hear("comfywatchman.transfer", { transfers: [failed] });
  await rest();
  assert.equal(stage.front.count("run"), 0);
  const [, notice] = /** @type {[string, any]} */ (stage.front.done.filter(([name]) => name === "notify").at(-1));
  assert.equal(notice.severity, "warn");
});

test("what can only be decided by the user is told, not asked", async () => {
  const stage = new FlowStage({ missing: [A] });
  stage.facts = { consent: "refused", transfer: false };
  await stage.flow.runs.fetchAndRun();
  assert.equal(stage.front.count("ask"), 0);
  assert.equal(stage.front.count("notify"), 1);
});

test("with everything here it simply runs; a prompt that went out asks nothing", async () => {
  const stage = await opened({});
  await stage.flow.runs.fetchAndRun();
  await stage.flow.runs.ended();
  assert.deepEqual([stage.front.count("run"), stage.front.count("ask")], [1, 0]);
});

test("a prompt that was refused for a missing file is offered like a pressed Run", async () => {
  const stage = await opened({ missing: [A] });
  stage.front.isRefused = true;
  await stage.flow.runs.ended();
  assert.equal(stage.front.count("ask"), 1);
});

// ── sources ──

test("wishes that need the graph: a node shown, sources pinned, sources looked for again", async () => {
  const stage = await opened({ missing: [A] });
  const panel = new EventTarget();
  stage.flow.wire(panel);
  const wish = (/** @type {string} */ name, detail = {}) => panel.dispatchEvent(new CustomEvent(name, { detail }));
  wish("wm-locate", { id: "7:3" });
  wish("wm-pin", { keys: ["1.lora_name"] });
  wish("wm-rescan");
  await rest();
  assert.deepEqual(stage.front.done.find(([name]) => name === "locate"), ["locate", "7:3"]);
  const model = { url: `https://hub/${A}`, directory: "loras", name: A };
  assert.deepEqual(stage.front.done.find(([name]) => name === "pin"), ["pin", [{ node_id: "1", model }]]);
  assert.equal(stage.plans, 2);
});

test("a pinned source carries its digest", async () => {
  const stage = new FlowStage({ missing: [A] });
  stage.facts = { digests: ["autov2:aa", `sha256:${"ab".repeat(32)}`] };
  await stage.flow.loaded();
  stage.flow.sources.pinAll();
  const [, [entry]] = /** @type {[string, any]} */ (stage.front.done.find(([name]) => name === "pin"));
  assert.deepEqual([entry.model.hash, entry.model.hash_type], ["ab".repeat(32), "SHA256"]);
});

test("trigger words of a missing file come from its candidate", async () => {
  const stage = new FlowStage({ missing: [A] });
  stage.facts = { trigger_words: ["ink wash", "sumi"] };
  await stage.flow.loaded();
  await stage.flow.sources.copyWordsOf("1");
  assert.equal(stage.front.clipboard, "ink wash, sumi");
});

test("trigger words of a file that is here come from beside it, and no hub is asked", async () => {
  const stage = new FlowStage({ missing: ["style/ink #1.safetensors"] });
  stage.here.add("style/ink #1.safetensors");
  stage.words = ["fog bank"];
  await stage.flow.sources.copyWordsOf("1");
  assert.equal(stage.front.clipboard, "fog bank");
  assert.deepEqual([stage.asked.at(-1), stage.plans], ["GET words/loras/style%2Fink%20%231.safetensors", 0]);
});

// ── the built-in panel ──

test("Download all of the built-in panel is one fetch, and tells each file whether it comes", async () => {
  const stage = await opened({ missing: [A, B] });
  /** @type {any} */
  const window = {};
  offerBridge(window, /** @type {any} */ (stage.named));
  const download = (/** @type {string} */ name) => window.__comfyDesktop2.downloadModel("https://x", name, "loras");
  assert.deepEqual(await Promise.all([download(A), download(B), download("other")]), [true, true, false]);
  assert.equal(stage.asked.filter((call) => call.endsWith("/fetch")).length, 1);
});

test("a real bridge is left alone; ours is taken away without a trace", () => {
  const real = { downloadModel: async () => true };
  const desktop = { __comfyDesktop2: real };
  offerBridge(desktop, /** @type {any} */ ({}));
  withdrawBridge(desktop);
  assert.deepEqual(desktop, { __comfyDesktop2: real });

  const telemetry = { isRemote: () => true };
  for (const [before, after] of /** @type {[any, any][]} */ ([
    [{}, {}],
    [{ __comfyDesktop2: telemetry }, { __comfyDesktop2: telemetry }],
  ])) {
    offerBridge(before, /** @type {any} */ ({}));
    assert.equal(typeof before.__comfyDesktop2.downloadModel, "function");
    withdrawBridge(before);
    assert.deepEqual(before, after);
  }
});

test("a memory that something else wrote is taken as empty", () => {
  for (const text of ["{", "7", '{"awaited":3}', '{"runs":[1]}']) {
    const memory = new Memory({ getItem: () => text, setItem: () => {} });
    assert.deepEqual([memory.awaited, memory.runs], [[], []]);
  }
});
