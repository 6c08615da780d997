// Files that have come: ComfyUI's lists are read anew, widgets relinked, marks and panel made true; once for many.

import { hasArrived, isUnderway, relinksOf } from "./needs.js";
import { Timers } from "./timers.js";
import { t } from "./words.js";

/**
 * @import { FrontEnd } from "./frontend.js"
 * @import { Memory } from "./memory.js"
 * @import { Store } from "./store.js"
 * @import { State, Transfer } from "./types.js"
 * @import { Wiring } from "./wiring.js"
 */

const PAUSE = 250; // milliseconds from the last of several arrivals until they are taken in
const SILENCE = 10_000; // milliseconds without news of a running transfer after which the list is read

export class Arrivals {
  #front;
  #wiring;
  #store;
  #memory;
  #look;
  #times;
  #timers = new Timers();
  /** @type {Set<string>} transfers whose end is old news */
  #ended = new Set();
  /** @type {Transfer[]} here, and not yet taken in */
  #arrived = [];
  /** What the user has not been told of yet, as others are still on their way. */
  #untold = { here: 0, failed: 0 };
  #isSettling = false;

  /**
   * @param {{ front: FrontEnd, wiring: Wiring, store: Store, memory: Memory, look: () => Promise<unknown>,
   *   times?: { pause?: number, silence?: number } }} parts `look` compares the graph with the disk again
   */
  constructor({ front, wiring, store, memory, look, times = {} }) {
    this.#front = front;
    this.#wiring = wiring;
    this.#store = store;
    this.#memory = memory;
    this.#look = look;
    this.#times = { pause: PAUSE, silence: SILENCE, ...times };
  }

  /** Watch the transfers from now on. What has ended before is news only if this page awaited it. */
  watch() {
    const awaited = new Set(this.#memory.awaited);
    const old = this.#transfers.filter((one) => !isUnderway(one) && !awaited.has(one.id));
    this.#ended = new Set(old.map((one) => one.id));
    this.#store.subscribe((state) => this.#note(state));
  }

  /** Files appeared in the library, brought by us or by others. */
  libraryChanged() {
    this.#timers.later("settle", this.#times.pause, () => this.settle());
  }

  /** Take in what has come. */
  async settle() {
    if (this.#isSettling) return this.libraryChanged();
    this.#isSettling = true;
    try {
      await this.#takeIn(this.#arrived.splice(0));
    } finally {
      this.#isSettling = false;
    }
  }

  /** @param {Transfer[]} arrived */
  async #takeIn(arrived) {
    await this.#front.refreshLists();
    if (this.#front.relink(arrived.flatMap(relinksOf))) await this.#front.refreshMarks();
    await this.#look();
    this.#untold.here += arrived.length;
    if (!this.#arrived.length && !this.#transfers.some(isUnderway)) this.#tell();
  }

  /** Say once, when nothing is on its way any more, what came of it all. */
  #tell() {
    const { here, failed } = this.#untold;
    this.#untold = { here: 0, failed: 0 };
    if (here) this.#front.notify({ severity: "success", summary: t("host.arrived", { count: here }) });
    if (failed) {
      const detail = t("host.failed.detail");
      this.#front.notifyWithWay({ severity: "warn", summary: t("host.failed", { count: failed }), detail });
    }
  }

  /** Which transfers are on their way, have arrived, or have failed since the last state. @param {State} state */
  #note({ transfers }) {
    const all = Object.values(transfers);
    const news = all.filter((one) => !isUnderway(one) && !this.#ended.has(one.id));
    const coming = all.filter(isUnderway);
    for (const one of news) this.#ended.add(one.id);
    for (const one of coming) this.#ended.delete(one.id); // tried again
    const awaited = coming.map((one) => one.id);
    if (awaited.join() !== this.#memory.awaited.join()) this.#memory.keep({ awaited });
    this.#listenFor(coming.filter((one) => one.state !== "paused"));
    this.#arrived.push(...news.filter(hasArrived));
    this.#untold.failed += news.filter((one) => one.state === "failed").length;
    if (news.length) this.libraryChanged();
  }

  /** Ask by ourselves when nothing is heard of what should move: an event may be lost. @param {Transfer[]} moving */
  #listenFor(moving) {
    if (moving.length) this.#timers.later("silence", this.#times.silence, () => this.#wiring.readTransfers());
    else this.#timers.clear("silence");
  }

  get #transfers() {
    return Object.values(this.#store.state.transfers);
  }
}
