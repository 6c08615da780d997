// Run on a graph that lacks models: the fetch is offered, and the graph runs once they are here.

import { formatSize, wordFor } from "./format.js";
import { lacksOf, missingItems, needsOf } from "./needs.js";
import { fetchBody, takenItems, underway } from "./selection.js";
import { currentView } from "./store.js";
import { t } from "./words.js";

/**
 * @import { Flow } from "./flow.js"
 * @import { FrontEnd } from "./frontend.js"
 * @import { Memory } from "./memory.js"
 * @import { Store } from "./store.js"
 * @import { Candidate, View } from "./types.js"
 */

export class Runs {
  #flow;
  #front;
  #store;
  #memory;
  /** @type {Set<string>} needs for which a run was offered */
  #offered = new Set();

  /** @param {{ flow: Pick<Flow, "look" | "planned" | "fetch">, front: FrontEnd, store: Store, memory: Memory }} parts */
  constructor({ flow, front, store, memory }) {
    this.#flow = flow;
    this.#front = front;
    this.#store = store;
    this.#memory = memory;
  }

  /**
   * Run was pressed. When models are missing, ComfyUI will refuse the prompt by itself; we offer to fetch
   * them and to run then. Nothing is held back, and the same need is offered once.
   */
  async pressed() {
    await this.#flow.look();
    if (lacksOf(this.#view).length) await this.#flow.look({ isForced: true }); // files may have come just now
    const needs = [this.#view?.key, ...lacksOf(this.#view)];
    if (needs.length === 1 || this.#offered.has(needs.join("\n"))) return;
    this.#offered.add(needs.join("\n"));
    await this.fetchAndRun();
  }

  /** A prompt went out or, in older front ends, was refused: they do not tell before. */
  async ended() {
    if (this.#front.wasRefused()) await this.pressed();
  }

  /** Fetch what is missing, then run; asks with names, sizes and where they come from. */
  async fetchAndRun() {
    await this.#flow.look();
    const key = this.#view?.key;
    if (key === undefined) return;
    if (!needsOf(this.#view).length) return this.#front.run();
    const view = await this.#flow.planned(key);
    const taken = takenItems(view, this.#transfers);
    const coming = missingItems(view).filter((item) => underway(item, this.#transfers)).length;
    if (!taken.length && !coming) return this.#tellStuck();
    if (!(await this.#front.ask(questionFor(view, taken, coming)))) return;
    this.#memory.keep({ runs: [...new Set([...this.#memory.runs, key])] });
    if (taken.length) await this.#flow.fetch(key, fetchBody(view, this.#transfers));
  }

  /** Run a workflow that waited for its models, once none is on its way. @param {string} key */
  async runIfReady(key) {
    const view = this.#store.state.views[key];
    if (!this.#memory.runs.includes(key) || !view?.inspection || this.#front.workflow?.key !== key) return;
    const left = missingItems(view);
    if (left.some((item) => underway(item, this.#transfers))) return;
    this.#memory.keep({ runs: this.#memory.runs.filter((one) => one !== key) });
    if (left.length) this.#tellStuck();
    else await this.#front.run();
  }

  #tellStuck() {
    this.#front.notifyWithWay({ severity: "warn", summary: t("host.stuck"), detail: t("host.stuck.detail") });
  }

  get #view() {
    return currentView(this.#store.state);
  }

  get #transfers() {
    return Object.values(this.#store.state.transfers);
  }
}

/** @param {View} view @param {ReturnType<typeof takenItems>} taken @param {number} coming */
function questionFor(view, taken, coming) {
  const left = missingItems(view).length - taken.length - coming;
  const itemList = taken.map(({ item, candidate }) => {
    const from = `${formatSize(candidate.size)}, ${placeOf(candidate)}`;
    return `${item.name} – ${from}: ${evidenceOf(candidate)}`;
  });
  return {
    title: t("host.run.title"),
    message: taken.length ? t("host.run", { count: taken.length }) : t("host.run.coming", { count: coming }),
    itemList,
    ...(left > 0 ? { hint: t("host.run.left", { count: left }) } : {}),
  };
}

/** Where a file comes from: a hub by its name, anything else by its host. @param {Candidate} candidate */
function placeOf({ hub_title, host }) {
  return hub_title || host;
}

/** Why a file is offered; what is not certain says why it is not. @param {Candidate} candidate */
function evidenceOf({ consent, evidence, reason }) {
  return consent === "automatic" || !reason ? wordFor("evidence", evidence) : reason;
}
