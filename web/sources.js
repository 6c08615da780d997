// What is known of the files that nodes name, put to use: relinked, pinned into the workflow, words copied.

import { ApiError } from "./api.js";
import { candidateOf, itemsOf } from "./selection.js";
import { currentView } from "./store.js";
import { t } from "./words.js";

/**
 * @import { Api } from "./api.js"
 * @import { Flow } from "./flow.js"
 * @import { FrontEnd } from "./frontend.js"
 * @import { ModelEntry } from "./edits.js"
 * @import { Store } from "./store.js"
 * @import { Choice, Item } from "./types.js"
 */

const TURNS = 30; // how often a plan for one node is asked for, half a second apart

export class Sources {
  #flow;
  #front;
  #api;
  #store;

  /** @param {{ flow: Pick<Flow, "look">, front: FrontEnd, api: Api, store: Store }} parts */
  constructor({ flow, front, api, store }) {
    this.#flow = flow;
    this.#front = front;
    this.#api = api;
    this.#store = store;
  }

  /** Point the widgets of items at the files that are here. @param {string[]} keys of items */
  relink(keys) {
    const changes = this.#references(this.#named(keys)).flatMap((reference) => {
      const to = reference.relink ?? reference.resolution.relink;
      return to ? [{ node_id: reference.node_id, input: reference.input, from: reference.name, to }] : [];
    });
    return this.#front.relink(changes);
  }

  /** Write the sources of items into their nodes. @param {string[]} keys of items */
  pin(keys) {
    return this.#pin(this.#named(keys));
  }

  /** Write every source that was found into its nodes. */
  pinAll() {
    return this.#pin(this.#items);
  }

  /** @param {string} id of a node */
  async pinFor(id) {
    return this.#pin(await this.#sourcesOf(id));
  }

  /** @param {Item[]} items */
  #pin(items) {
    const entries = items.flatMap((item) => {
      const model = modelOf(item, this.#view?.choices[item.key]);
      const named = this.#references([item]).filter(({ linked }) => !linked); // a link is its own source
      return model ? named.map(({ node_id, name }) => ({ node_id, model: { ...model, name } })) : [];
    });
    const count = this.#front.pin(entries);
    const summary = entries.length ? t("host.pinned", { count }) : t("host.no-source");
    this.#front.notify({ severity: entries.length ? "success" : "info", summary });
    return count;
  }

  /** @param {string} id of a node */
  async copyWordsOf(id) {
    const words = await this.#wordsOf(id);
    const isCopied = words.length > 0 && (await this.#front.copy(words.join(", ")));
    const summary = isCopied ? t("host.words", { words: words.join(", ") }) : t("host.no-words");
    this.#front.notify({ severity: isCopied ? "success" : "info", summary });
  }

  /** The words of a node's files: what lies beside them here, else what hubs say. @param {string} id @returns {Promise<string[]>} */
  async #wordsOf(id) {
    await this.#flow.look();
    const here = (this.#view?.inspection?.references ?? [])
      .filter((one) => one.node_id === id && one.resolution.state === "present");
    const told = await Promise.all(here.map(({ folder, name, relink }) => this.#localWords(folder, relink ?? name)));
    const items = told.flat().length ? [] : await this.#sourcesOf(id);
    const offered = items.flatMap((item) => (candidateOf(item, undefined) ?? item.candidates[0])?.trigger_words ?? []);
    return [...new Set([...told.flat(), ...offered])];
  }

  /** @param {string} folder @param {string} name @returns {Promise<string[]>} */
  async #localWords(folder, name) {
    try {
      return (await this.#api.words(folder, name)).trigger_words;
    } catch (error) {
      if (error instanceof ApiError) return []; // gone since, or an older server
      throw error;
    }
  }

  /**
   * The files that a node names, with their candidates; also of those that are here, which hubs are asked about.
   * @param {string} id @returns {Promise<Item[]>}
   */
  async #sourcesOf(id) {
    await this.#flow.look();
    const named = (/** @type {Item[]} */ items) => items.filter((item) => item.nodes.some((node) => node.id === id));
    const known = named(this.#items).filter((item) => item.candidates.length);
    const document = this.#front.document();
    const references = this.#view?.inspection?.references ?? [];
    const keys = references.filter((one) => one.node_id === id).map((one) => one.key);
    if (known.length || !document || !keys.length) return known;
    return named((await this.#askAbout(document, keys)) ?? []);
  }

  /** @param {object} document @param {string[]} references @returns {Promise<Item[] | null>} */
  async #askAbout(document, references) {
    try {
      let plan = await this.#api.makePlan({ workflow: document, references });
      for (let turn = 0; plan.stage !== "done" && turn < TURNS; turn++) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        plan = await this.#api.plan(plan.id);
      }
      return plan.items;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#front.notify({ severity: "warn", summary: message });
      return null;
    }
  }

  get #view() {
    return currentView(this.#store.state);
  }

  get #items() {
    return this.#view ? itemsOf(this.#view) : [];
  }

  /** @param {string[]} keys */
  #named(keys) {
    return this.#items.filter((item) => keys.includes(item.key));
  }

  /** @param {Item[]} items */
  #references(items) {
    const keys = new Set(items.flatMap((item) => item.references));
    return (this.#view?.inspection?.references ?? []).filter((reference) => keys.has(reference.key));
  }
}

/**
 * The entry of `properties.models` for an item's source; null where none is known.
 * @param {Item} item @param {Choice} [choice] @returns {Omit<ModelEntry, "name"> | null}
 */
function modelOf(item, choice) {
  const candidate = candidateOf(item, choice);
  if (!candidate?.url) return null;
  const sha256 = candidate.digests.find((digest) => digest.startsWith("sha256:"));
  const hash = sha256 ? { hash: sha256.slice(7), hash_type: "SHA256" } : {};
  return { url: candidate.url, directory: item.folder, ...hash };
}
