// Hubs' tokens: said once, tested, taken away; how it went is noted in the store, the token itself nowhere.

/**
 * @import { Api } from "./api.js"
 * @import { Store } from "./store.js"
 * @import { State, TokenNote } from "./types.js"
 */

import { ApiError } from "./api.js";
import { currentView } from "./store.js";
import { t } from "./words.js";

export class Tokens {
  #api;
  #store;

  /**
   * @param {Api} api
   * @param {Store} store
   */
  constructor(api, store) {
    this.#api = api;
    this.#store = store;
  }

  /**
   * @param {string} hub
   * @param {string} token
   */
  async set(hub, token) {
    await this.#noting(hub, t("tokens.saving"), async () => {
      const { has_token, where } = await this.#api.setToken(hub, token);
      this.#store.dispatch({ type: "token", hub, has_token, where });
      return "";
    });
    await this.test(hub);
  }

  /** @param {string} hub */
  async test(hub) {
    await this.#noting(hub, t("tokens.testing", { hub: this.#title(hub) }), async () => {
      const { account } = await this.#api.testToken(hub);
      return account ? t("tokens.works", { account }) : t("tokens.works.plain");
    });
  }

  /** @param {string} hub */
  async remove(hub) {
    await this.#noting(hub, t("tokens.saving"), async () => {
      await this.#api.removeToken(hub);
      return "";
    });
  }

  /**
   * Do something about a token, and note how it went.
   *
   * @param {string} hub
   * @param {string} doing
   * @param {() => Promise<string>} work gives what to say when it went well; "" for nothing
   */
  async #noting(hub, doing, work) {
    const note = (/** @type {TokenNote} */ note) =>
      this.#store.dispatch({ type: "token-note", hub, note });
    note({ state: "busy", message: doing });
    try {
      const message = await work();
      note(message ? { state: "good", message } : { state: "none", message: "" });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isRefused = error.code === "login-required"; // its hint is for the command line
      const said = isRefused ? t("tokens.refused", { hub: this.#title(hub) }) : `${error.message}. ${error.hint ?? ""}`;
      note({ state: "bad", message: said.trim(), refused: isRefused });
    }
  }

  /** @param {string} hub */
  #title(hub) {
    return this.#store.state.status?.hubs.find((known) => known.name === hub)?.title ?? hub;
  }
}

/**
 * How tokens do, for every hub: as their last test went, else as the hub took them from a transfer or a plan.
 *
 * @param {State} state
 * @returns {Record<string, TokenNote>}
 */
export function tokenNotes(state) {
  const notes = { ...state.tokens };
  for (const { name, title, has_token } of state.status?.hubs ?? []) {
    const isTold = (notes[name]?.state ?? "none") !== "none";
    if (has_token && !isTold && isRefusedBy(name, state)) {
      notes[name] = { state: "bad", message: t("tokens.refused-before", { hub: title }), refused: true };
    }
  }
  return notes;
}

/**
 * Whether a hub last said no to a token that is set.
 *
 * @param {string} hub
 * @param {State} state
 */
function isRefusedBy(hub, state) {
  const isNo = (/** @type {{ code: string } | null} */ fault) => fault?.code === "login-required";
  if (currentView(state)?.plan?.faults.some((fault) => fault.hub === hub && isNo(fault))) return true;
  const told = Object.values(state.transfers).filter((one) => one.hub === hub && (one.state === "verified" || isNo(one.error)));
  const last = told.sort((a, b) => b.changed - a.changed)[0];
  return last !== undefined && isNo(last.error);
}
