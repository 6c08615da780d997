// Our server's routes, one function each. Which fetch carries them is the caller's: ComfyUI's `api.fetchApi`
// or the browser's own. Every fault is an ApiError; nothing else is thrown but an AbortError the caller asked for.

import { t } from "./words.js";

/** @import { Fault, FetchBody, Inspection, Plan, Setting, Skipped, Status, Transfer, TransferState } from "./types.js" */

const ROOT = "/comfywatchman/v1/";

/** A route's fault. `status` is 0 when no answer of ours came. */
export class ApiError extends Error {
  /**
   * @param {Fault} fault
   * @param {{ status?: number, details?: unknown }} [more]
   */
  constructor(fault, { status = 0, details = null } = {}) {
    super(fault.message);
    this.name = "ApiError";
    this.code = fault.code;
    this.hint = fault.hint;
    this.status = status;
    this.details = details;
  }

  /** @returns {Fault} */
  get fault() {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

/**
 * @typedef {(path: string, init: RequestInit) => Promise<Response>} Send
 * @typedef {{ workflow: object } | { prompt: object }} Document  a workflow as ComfyUI saves it, or its API form
 * @typedef {{ transfers: Transfer[], skipped: Skipped[] }} Fetched
 * @typedef {{ settings: Setting[] }} Settings
 * @typedef {{ account: string | null }} Account
 * @typedef {{ schema: string, name: string | null, revision: number }} Checkpoint
 */

export class Api {
  #send;
  #timeout;

  /**
   * @param {Send} send as fetch, given a path from our server's root
   * @param {{ timeout?: number }} [options] seconds until an answer must have come
   */
  constructor(send, { timeout = 30 } = {}) {
    this.#send = send;
    this.#timeout = timeout;
  }

  /** @returns {Promise<Status>} */
  status() {
    return this.#call("GET", "status");
  }

  /**
   * What a workflow names, against the server's disk; no hub is asked.
   *
   * @param {Document & { name?: string }} document
   * @param {AbortSignal} [signal]
   * @returns {Promise<Inspection>}
   */
  inspect(document, signal) {
    return this.#call("POST", "inspections", document, signal);
  }

  /**
   * A plan for a workflow or for things; it grows while hubs answer.
   *
   * @param {(Document | { things: string[] }) & { references?: string[] }} wanted
   * @param {AbortSignal} [signal]
   * @returns {Promise<Plan>}
   */
  makePlan(wanted, signal) {
    return this.#call("POST", "plans", wanted, signal);
  }

  /**
   * @param {string} id
   * @param {AbortSignal} [signal]
   * @returns {Promise<Plan>}
   */
  plan(id, signal) {
    return this.#call("GET", `plans/${encodeURIComponent(id)}`, undefined, signal);
  }

  /**
   * Carry out what of a plan the user consented to.
   *
   * @param {string} id
   * @param {FetchBody} body
   * @returns {Promise<Fetched>}
   */
  fetchPlan(id, body) {
    return this.#call("POST", `plans/${encodeURIComponent(id)}/fetch`, body);
  }

  /** @returns {Promise<{ transfers: Transfer[], paused: boolean, speed: number }>} */
  transfers() {
    return this.#call("GET", "transfers");
  }

  /**
   * @param {string} id
   * @returns {Promise<Transfer>}
   */
  transfer(id) {
    return this.#call("GET", `transfers/${encodeURIComponent(id)}`);
  }

  /**
   * Change one transfer, or with "all" the state of each; `of` limits that to those in certain states.
   *
   * @param {string} id
   * @param {{ state?: TransferState, priority?: number, before?: string | null, of?: TransferState[] }} changes
   * @returns {Promise<unknown>}
   */
  changeTransfer(id, changes) {
    return this.#call("PATCH", `transfers/${encodeURIComponent(id)}`, changes);
  }

  /**
   * Forget an ended transfer, or with "all" every ended one.
   *
   * @param {string} id
   * @returns {Promise<unknown>}
   */
  forgetTransfer(id) {
    return this.#call("DELETE", `transfers/${encodeURIComponent(id)}`);
  }

  /** @returns {Promise<Settings>} */
  settings() {
    return this.#call("GET", "settings");
  }

  /**
   * @param {Record<string, unknown>} changes
   * @returns {Promise<Settings>}
   */
  changeSettings(changes) {
    return this.#call("PATCH", "settings", changes);
  }

  /**
   * @param {string} hub
   * @param {string} token
   * @returns {Promise<{ hub: string, has_token: boolean, where: string | null }>}
   */
  setToken(hub, token) {
    return this.#call("PUT", `tokens/${encodeURIComponent(hub)}`, { token });
  }

  /**
   * @param {string} hub
   * @returns {Promise<Account>}
   */
  testToken(hub) {
    return this.#call("POST", `tokens/${encodeURIComponent(hub)}/test`, {});
  }

  /**
   * @param {string} hub
   * @returns {Promise<unknown>}
   */
  removeToken(hub) {
    return this.#call("DELETE", `tokens/${encodeURIComponent(hub)}`);
  }

  /**
   * The trigger words of a file that is here.
   *
   * @param {string} folder
   * @param {string} name
   * @returns {Promise<{ folder: string, name: string, trigger_words: string[] }>}
   */
  words(folder, name) {
    return this.#call("GET", `words/${encodeURIComponent(folder)}/${encodeURIComponent(name)}`);
  }

  /** @returns {Promise<Checkpoint>} */
  checkpoint() {
    return this.#call("GET", "checkpoint");
  }

  /**
   * @param {string} name a local name or a link
   * @returns {Promise<Checkpoint>}
   */
  setCheckpoint(name) {
    return this.#call("PUT", "checkpoint", { name });
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {unknown} [body]
   * @param {AbortSignal} [signal] the caller's wish to stop waiting
   * @returns {Promise<any>}
   */
  async #call(method, path, body, signal) {
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort);
    let late = false;
    const timer = setTimeout(() => ((late = true), stop.abort()), this.#timeout * 1000);
    try {
      const response = await this.#send(ROOT + path, requestInit(method, body, stop.signal));
      return await readAnswer(response);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      signal?.throwIfAborted();
      throw late ? tooLate(this.#timeout) : unreachable();
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

/**
 * @param {string} method
 * @param {unknown} body
 * @param {AbortSignal} signal
 * @returns {RequestInit}
 */
function requestInit(method, body, signal) {
  if (method === "GET") return { method, signal };
  const headers = { "Content-Type": "application/json", "X-Comfywatchman": "1" };
  return { method, headers, body: JSON.stringify(body ?? {}), signal };
}

/** @param {Response} response */
async function readAnswer(response) {
  const answer = await response.text().then(parseJson);
  if (answer === undefined) throw notOurs(response.status);
  if (response.ok) return answer;
  const fault = /** @type {{ error?: Fault & { details?: unknown } }} */ (answer ?? {}).error;
  if (typeof fault?.code !== "string") throw notOurs(response.status);
  const { code, message, hint, details } = fault;
  throw new ApiError({ code, message: String(message), hint: hint ?? null }, { status: response.status, details });
}

/**
 * @param {string} text
 * @returns {unknown} undefined where it is no JSON; an empty answer is null
 */
function parseJson(text) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @param {number} status */
function notOurs(status) {
  const fault = { code: "not-json", message: t("fault.not-json", { status }), hint: t("fault.not-json.hint") };
  return new ApiError(fault, { status });
}

/** @param {number} seconds */
function tooLate(seconds) {
  return new ApiError({ code: "timeout", message: t("fault.timeout", { seconds }), hint: t("fault.timeout.hint") });
}

function unreachable() {
  return new ApiError({ code: "network", message: t("fault.network"), hint: t("fault.network.hint") });
}
