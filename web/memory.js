// What outlives a reload of this page, in its session's storage.

const FLOW = "comfywatchman.flow";
const PLANS = "comfywatchman.plans"; // { workflow's key: plan's id }

/**
 * @typedef {Pick<Storage, "getItem" | "setItem">} Session
 *
 * @typedef {object} Kept
 * @property {string[]} awaited transfers that were on their way; their arrival relinks
 * @property {string[]} runs workflows to be run once their models are here
 */

export class Memory {
  #session;
  /** @type {Kept} */
  #kept;

  /** @param {Session} session */
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
    this.#session.setItem(FLOW, JSON.stringify(this.#kept));
  }
}

/** The plan that each workflow has. */
export class PlanMemory {
  #session;

  /** @param {Session | null} session null: nothing outlives a reload */
  constructor(session) {
    this.#session = session;
  }

  /**
   * The id of a workflow's plan; undefined where it has none.
   *
   * @param {string} key
   * @returns {string | undefined}
   */
  recall(key) {
    return this.#plans.get(key);
  }

  /**
   * @param {string} key
   * @param {string} id
   */
  keep(key, id) {
    this.#write(this.#plans.set(key, id));
  }

  /** @param {string} key */
  forget(key) {
    const plans = this.#plans;
    if (plans.delete(key)) this.#write(plans);
  }

  /** @returns {Map<string, string>} */
  get #plans() {
    const found = Object.entries(parse(this.#session?.getItem(PLANS) ?? null) ?? {});
    return new Map(found.filter(([, id]) => typeof id === "string"));
  }

  /** @param {Map<string, string>} plans */
  #write(plans) {
    this.#session?.setItem(PLANS, JSON.stringify(Object.fromEntries(plans)));
  }
}

/** @param {Pick<Storage, "getItem">} session @returns {Kept} */
function recall(session) {
  const found = parse(session.getItem(FLOW));
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
