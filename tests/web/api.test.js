import assert from "node:assert/strict";
import { createServer } from "node:http";
import test, { after, before } from "node:test";
import { Api, ApiError } from "../../web/api.js";

/** @type {{ method?: string, url?: string, headers: any, body: string }[]} */
const asked = [];
/** @type {(response: import("node:http").ServerResponse) => void} */
let answer = (response) => response.end("{}");
let base = "";

const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    asked.push({ method: request.method, url: request.url, headers: request.headers, body });
    answer(response);
  });
});

before(async () => {
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(null)));
  base = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

/** @param {{ timeout?: number }} [options] */
function api(options) {
  return new Api((path, init) => fetch(base + path, init), options);
}

/**
 * @param {number} status
 * @param {string} text
 */
function give(status, text) {
  answer = (response) => response.writeHead(status, { "Content-Type": "application/json" }).end(text);
}

/** @param {Promise<unknown>} promise */
async function faultOf(promise) {
  const error = await promise.then(() => null, (reason) => reason);
  assert.ok(error instanceof ApiError, String(error));
  return error;
}

test("each route is asked by its method and path; writes carry the header and JSON, reads carry neither", async () => {
  give(200, "{}");
  /** @type {[Promise<unknown>, string, string, unknown?][]} */
  const calls = [
    [api().status(), "GET", "status"],
    [api().inspect({ workflow: { nodes: [] } }), "POST", "inspections", { workflow: { nodes: [] } }],
    [api().makePlan({ things: ["v:1"] }), "POST", "plans", { things: ["v:1"] }],
    [api().plan("a/b?c"), "GET", "plans/a%2Fb%3Fc"],
    [api().fetchPlan("p", { consent: "selected", items: {} }), "POST", "plans/p/fetch", { consent: "selected", items: {} }],
    [api().transfers(), "GET", "transfers"],
    [api().transfer("t"), "GET", "transfers/t"],
    [api().changeTransfer("all", { state: "paused" }), "PATCH", "transfers/all", { state: "paused" }],
    [api().forgetTransfer("t"), "DELETE", "transfers/t", {}],
    [api().settings(), "GET", "settings"],
    [api().changeSettings({ bandwidth: null }), "PATCH", "settings", { bandwidth: null }],
    [api().setToken("civitai", "s"), "PUT", "tokens/civitai", { token: "s" }],
    [api().testToken("civitai"), "POST", "tokens/civitai/test", {}],
    [api().removeToken("civitai"), "DELETE", "tokens/civitai", {}],
    [api().checkpoint(), "GET", "checkpoint"],
    [api().setCheckpoint("x"), "PUT", "checkpoint", { name: "x" }],
  ];
  for (const [call, method, path, body] of calls) {
    await call;
    const seen = asked.find((one) => one.method === method && one.url === `/comfywatchman/v1/${path}`);
    assert.ok(seen, `${method} ${path}`);
    assert.equal(seen.headers["x-comfywatchman"], body === undefined ? undefined : "1", path);
    assert.deepEqual(seen.body === "" ? undefined : JSON.parse(seen.body), body, path);
  }
});

test("an error of ours keeps its code, message, hint, details and status", async () => {
  give(409, JSON.stringify({ error: { code: "plan-spent", message: "m", hint: "h", details: { id: 1 } } }));
  const error = await faultOf(api().plan("p"));
  assert.deepEqual([error.status, error.fault, error.details], [409, { code: "plan-spent", message: "m", hint: "h" }, { id: 1 }]);
});

test("an answer that is not ours says so", async () => {
  for (const [status, text] of /** @type {const} */ ([[200, "<html>"], [502, "Bad gateway"], [500, "{}"], [403, ""], [404, '{"error":"x"}']])) {
    give(status, text);
    const error = await faultOf(api().status());
    assert.deepEqual([error.code, error.status], ["not-json", status]);
  }
});

test("an empty answer to what went well is nothing", async () => {
  answer = (response) => response.writeHead(204).end();
  assert.equal(await api().forgetTransfer("t"), null);
});

test("a server that is not there is unreachable; one that does not answer is late", async () => {
  const nobody = new Api((path, init) => fetch(`http://127.0.0.1:1${path}`, init));
  assert.equal((await faultOf(nobody.status())).code, "network");
  answer = () => undefined;
  const late = await faultOf(api({ timeout: 0.05 }).status());
  assert.deepEqual([late.code, late.status], ["timeout", 0]);
});

test("a body that stalls is late too", async () => {
  answer = (response) => response.writeHead(200).write("{");
  assert.equal((await faultOf(api({ timeout: 0.1 }).status())).code, "timeout");
});

test("a caller who no longer wants the answer gets its own reason", async () => {
  answer = () => undefined;
  const stop = new AbortController();
  const call = api().makePlan({ things: [] }, stop.signal);
  stop.abort(new Error("changed"));
  await assert.rejects(call, /changed/);
  await assert.rejects(api().plan("p", stop.signal), /changed/);
});
