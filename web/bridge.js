// The built-in panel's Download buttons through our server, for those who want it (off by default).
//
// Front ends from 1.45 on hand a download to `window.__comfyDesktop2.downloadModel(url, name, directory)` where
// that is; it is ComfyUI Desktop's. A real one is never replaced. Older ones do not look, and nothing happens.

import { selected } from "./needs.js";
import { candidateOf, consentKind, fileOf } from "./selection.js";

/**
 * @import { Flow } from "./flow.js"
 * @import { FrontEnd } from "./frontend.js"
 */

/**
 * @typedef {object} Bridge
 * @property {() => boolean} [isRemote]
 * @property {(url: string, name: string, directory: string) => Promise<boolean>} [downloadModel]
 * @property {"made" | "completed"} [comfywatchman] what we did: the whole of it, or the download alone
 */

/** Fetches of files by name and folder, as the built-in panel asks for them; calls close to each other are one. */
export class NamedFetches {
  #flow;
  #front;
  #gathering;
  /** @type {string[]} */
  #wanted = [];
  /** @type {Promise<Set<string>> | null} */
  #batch = null;

  /** @param {{ flow: Pick<Flow, "look" | "planned" | "fetch">, front: FrontEnd, gathering?: number }} parts */
  constructor({ flow, front, gathering = 100 }) {
    this.#flow = flow;
    this.#front = front;
    this.#gathering = gathering; // milliseconds: "Download all" calls once for each file
  }

  /** @param {string} name @param {string} folder @returns {Promise<boolean>} whether it is on its way */
  async fetch(name, folder) {
    const file = fileOf({ folder, name });
    this.#wanted.push(file);
    this.#batch ??= new Promise((resolve) => setTimeout(resolve, this.#gathering)).then(() => this.#fetchAll());
    return (await this.#batch).has(file);
  }

  /** @returns {Promise<Set<string>>} */
  async #fetchAll() {
    const wanted = this.#wanted;
    this.#wanted = [];
    this.#batch = null;
    await this.#flow.look({ isForced: true });
    const key = this.#front.workflow?.key;
    if (key === undefined) return new Set();
    const view = await this.#flow.planned(key);
    const items = (view?.plan?.items ?? []).filter((item) => wanted.includes(fileOf(item)));
    const taken = items.filter((item) => consentKind(candidateOf(item, undefined)) === "row");
    if (taken.length) await this.#flow.fetch(key, selected(taken));
    return new Set(taken.map(fileOf));
  }
}

/**
 * @param {{ __comfyDesktop2?: Bridge }} window
 * @param {Pick<NamedFetches, "fetch">} named
 */
export function offerBridge(window, named) {
  const bridge = window.__comfyDesktop2;
  if (bridge?.downloadModel) return;
  // the address in the workflow is not taken: what comes is what the plan found and its consent covers
  const downloadModel = (/** @type {string} */ _url, /** @type {string} */ name, /** @type {string} */ directory) =>
    named.fetch(name, directory);
  if (bridge) Object.assign(bridge, { downloadModel, comfywatchman: "completed" });
  else window.__comfyDesktop2 = { isRemote: () => false, downloadModel, comfywatchman: "made" };
}

/** @param {{ __comfyDesktop2?: Bridge }} window */
export function withdrawBridge(window) {
  const bridge = window.__comfyDesktop2;
  if (bridge?.comfywatchman === "made") delete window.__comfyDesktop2;
  if (bridge?.comfywatchman !== "completed") return;
  delete bridge.downloadModel;
  delete bridge.comfywatchman;
}
