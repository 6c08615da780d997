// What outlives a reload of this page, in its session's storage.

const KEY = "comfywatchman.flow";

/**
 * @typedef {object} Kept
 * @property {string[]} awaited transfers that were on their way; their arrival relinks
 * @property {string[]} runs workflows to be run once their models are here
 */

export class Memory {
  #session;
  /** @type {Kept} */
  #kept;

  /** @param {Pick<Storage, "getItem" | "setItem">} session */
  constructor(session) {
    this.#session = session;
    this.#kept = recall(session);
  }

  get awaited() {
    return this.#kept.awaited;
  }

  get runs() {
    return this.#kept.runs;
  }

  /** @param {Partial<Kept>} changes */
  keep(changes) {
    this.#kept = { ...this.#kept, ...changes };
    this.#session.setItem(KEY, JSON.stringify(this.#kept));
  }
}

/** @param {Pick<Storage, "getItem">} session @returns {Kept} */
function recall(session) {
  const found = parse(session.getItem(KEY));
  return { awaited: textsOf(found?.awaited), runs: textsOf(found?.runs) };
}

/** @param {string | null} text @returns {any} null where somebody else's text stands under our key */
function parse(text) {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}

/** @param {unknown} value */
function textsOf(value) {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
