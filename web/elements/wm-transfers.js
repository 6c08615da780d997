// The queue and its history: <wm-transfers .active .ended .speed>.
// Wishes: `wm-transfer` { id | "all", action: pause | resume | cancel | retry | forget }, `wm-move` { id, before }.

/** @import { Fault, Transfer, TransferState } from "../types.js" */
/** @import { Icon } from "./icons.js" */

import { formatSize, formatSpeed, formatWait, percentOf } from "../format.js";
import { html, nothing, repeat } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define, empty, fileName, note } from "./base.js";
import { icon } from "./icons.js";
import { pageIcon } from "./links.js";
import { bar, factsOf, lookOf, progressText } from "./progress.js";
import { style } from "./wm-transfers.css.js";

/** @typedef {"pause" | "resume" | "cancel" | "retry" | "forget"} Action */

/** @type {Record<Action, Icon>} */
const SIGNS = { pause: "pause", resume: "play", cancel: "close", retry: "refresh", forget: "trash" };

/** @type {Record<TransferState, Action[]>} */
const ACTIONS = {
  queued: ["pause", "cancel"],
  running: ["pause", "cancel"],
  paused: ["resume", "cancel"],
  failed: ["retry", "forget"],
  cancelled: ["retry", "forget"],
  verified: ["forget"],
  skipped: ["forget"],
};

export class WmTransfers extends WmElement {
  static properties = {
    active: { attribute: false },
    ended: { attribute: false },
    speed: { attribute: false },
    dragged: { state: true },
    gap: { state: true },
    said: { state: true },
    sure: { state: true },
  };

  static styles = [WmElement.styles, style];

  constructor() {
    super();
    /** @type {Transfer[]} */
    this.active = [];
    /** @type {Transfer[]} */
    this.ended = [];
    this.speed = 0;
    /** @type {string | null} */
    this.dragged = null;
    /** @type {string | null | undefined} before which one the dragged one would come; null: last */
    this.gap = undefined;
    this.said = "";
    this.sure = false; // the question before "cancel all" stands open
  }

  render() {
    if (!this.active.length && !this.ended.length) return empty("download", t("transfers.empty"));
    return html`
      ${this.#top()}
      <div class="scroll">
        ${this.active.length ? this.#activeList() : nothing}
        ${this.ended.length ? this.#history() : nothing}
      </div>
      <p class="wm-hidden" role="status">${this.said}</p>`;
  }

  #top() {
    const has = (/** @type {TransferState[]} */ ...states) =>
      [...this.active, ...this.ended].some((one) => states.includes(one.state));
    const all = (/** @type {Action} */ action) => () => this.emit("wm-transfer", { id: "all", action });
    return html`<div class="top">
      ${this.active.length ? this.#total() : nothing}
      <p class="wm-small" role="status">${this.#counts()}</p>
      ${this.sure ? this.#cancelQuestion() : html`<div class="wm-row">
        ${has("queued", "running") ? html`<button class="wm-button" @click=${all("pause")}>${icon("pause")}${t("transfers.pause-all")}</button>` : nothing}
        ${has("paused") ? html`<button class="wm-button" @click=${all("resume")}>${icon("play")}${t("transfers.resume-all")}</button>` : nothing}
        ${has("failed") ? html`<button class="wm-button" @click=${all("retry")}>${icon("refresh")}${t("transfers.retry-all")}</button>` : nothing}
        ${this.active.length ? html`<button class="wm-button quiet" id="cancel-all" @click=${() => this.#ask()}>${t("transfers.cancel-all")}</button>` : nothing}
      </div>`}
    </div>`;
  }

  #total() {
    const done = this.active.reduce((sum, one) => sum + one.done, 0);
    const size = this.active.reduce((sum, one) => sum + Math.max(one.size ?? 0, one.done), 0);
    const known = this.active.every((one) => one.size !== null);
    const percent = known ? percentOf(done, size) : null;
    const speed = this.speed;
    const facts = [
      known ? t("transfers.of", { done: formatSize(done), size: formatSize(size) }) : t("transfers.done-of-unknown", { done: formatSize(done) }),
      speed > 0 ? formatSpeed(speed) : "",
      speed > 0 && known ? t("transfers.left", { eta: formatWait((size - done) / speed) }) : "",
    ];
    return html`${bar(percent, t("transfers.progress"), facts.filter(Boolean).join(", "))}
      <div class="facts">${facts.filter(Boolean).map((fact) => html`<span>${fact}</span>`)}</div>`;
  }

  /** The counts of states: this text, and with it what is said aloud, changes rarely. */
  #counts() {
    const all = [...this.active, ...this.ended];
    const states = /** @type {const} */ (["running", "queued", "paused", "failed", "verified"]);
    return states
      .map((state) => [state, all.filter((one) => one.state === state).length])
      .filter(([, count]) => count)
      .map(([state, count]) => t(/** @type {`transfers.${typeof states[number]}`} */ (`transfers.${state}`), { count }))
      .join(", ");
  }

  #cancelQuestion() {
    const answer = (/** @type {boolean} */ yes) => () => {
      this.sure = false;
      if (yes) this.emit("wm-transfer", { id: "all", action: "cancel" });
      void this.focusOn("#cancel-all, button");
    };
    return html`<div class="wm-row" role="group" aria-label=${t("transfers.cancel-all")}
      @keydown=${(/** @type {KeyboardEvent} */ event) => event.key === "Escape" && (event.stopPropagation(), answer(false)())}>
      <span class="wm-grow">${t("transfers.cancel-sure", { count: this.active.length })}</span>
      <button class="wm-button" id="sure" @click=${answer(true)}>${t("transfers.cancel-all")}</button>
      <button class="wm-button quiet" @click=${answer(false)}>${t("transfers.keep")}</button>
    </div>`;
  }

  #ask() {
    this.sure = true;
    void this.focusOn("#sure");
  }

  #activeList() {
    return html`<section aria-labelledby="active">
      <h3 id="active">${t("transfers.active")} · ${this.active.length}</h3>
      <ul role="list" aria-label=${t("transfers.list")}>${repeat(
        this.active,
        (one) => one.id,
        (one, at) => this.#row(one, at),
      )}</ul>
    </section>`;
  }

  #history() {
    return html`<section aria-labelledby="history">
      <h3><span id="history">${t("transfers.history")} · ${this.ended.length}</span>
        <button class="wm-button quiet wm-small" @click=${() => this.emit("wm-transfer", { id: "all", action: "forget" })}>
          ${t("transfers.clear")}</button></h3>
      <ul role="list">${repeat(
        this.ended,
        (one) => one.id,
        (one) => this.#row(one, null),
      )}</ul>
    </section>`;
  }

  /**
   * @param {Transfer} one
   * @param {number | null} at its place among the active ones
   */
  #row(one, at) {
    const [look, sign] = lookOf(one);
    const last = at === this.active.length - 1;
    const mark = this.dragged === null ? "" : this.gap === one.id ? "before" : last && this.gap === null ? "after" : "";
    return html`<li class="${this.dragged === one.id ? "dragged" : ""} ${mark}" data-id=${one.id}>
      <div class="mark">${at === null || this.active.length < 2 ? html`<span class=${look}>${icon(sign)}</span>` : this.#grip(one, at)}</div>
      <div class="body">
        ${fileName(one.name)}
        ${at === null ? nothing : bar(percentOf(one.done, one.size), one.name, progressText(one))}
        <div class="facts">${factsOf(one).map((fact) => html`<span class=${fact.look ?? ""}>${fact.text}</span>`)}</div>
      </div>
      <div class="acts">${(ACTIONS[one.state] ?? []).map((action) => this.#button(one, action))}${pageIcon(one.page, one.name)}</div>
      ${one.error ? html`<div class="fault">${note("wm-bad", "warn", one.error.message, hintOf(one.error))}</div>` : nothing}
    </li>`;
  }

  /**
   * @param {Transfer} one
   * @param {number} at
   */
  #grip(one, at) {
    const label = t("transfers.move", { name: one.name });
    return html`<button class="grip" aria-label=${label} title=${label} data-grip=${one.id}
      @keydown=${(/** @type {KeyboardEvent} */ event) => this.#onKey(event, one, at)}
      @pointerdown=${(/** @type {PointerEvent} */ event) => this.#onGrab(event, one)}
      @pointermove=${this.#onDrag} @pointerup=${() => this.#onDrop(true)}
      @pointercancel=${() => this.#onDrop(false)}>${icon("grip")}</button>`;
  }

  /**
   * @param {Transfer} one
   * @param {Action} action
   */
  #button(one, action) {
    const label = t("transfers.act", { action: t(`transfers.${action}`), name: one.name });
    return html`<button class="wm-button quiet icon" aria-label=${label} title=${t(`transfers.${action}`)}
      @click=${() => this.emit("wm-transfer", { id: one.id, action })}>${icon(SIGNS[action])}</button>`;
  }

  /**
   * @param {KeyboardEvent} event
   * @param {Transfer} one
   * @param {number} at
   */
  #onKey(event, one, at) {
    if (event.key === "Escape" && this.dragged) return this.#onDrop(false);
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const to = at + step;
    if (to < 0 || to >= this.active.length) return;
    const before = this.active[step < 0 ? to : to + 1]?.id ?? null;
    this.#move(one.id, before, to);
  }

  /**
   * @param {string} id
   * @param {string | null} before
   * @param {number} to the place it comes to
   */
  #move(id, before, to) {
    const name = this.active.find((one) => one.id === id)?.name ?? id;
    this.said = t("transfers.moved", { name, position: to + 1, count: this.active.length });
    this.emit("wm-move", { id, before });
  }

  /**
   * @param {PointerEvent} event
   * @param {Transfer} one
   */
  #onGrab(event, one) {
    if (event.button !== 0) return;
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
    this.dragged = one.id;
    this.gap = undefined;
  }

  /** @param {PointerEvent} event */
  #onDrag(event) {
    if (this.dragged === null) return;
    const rows = /** @type {HTMLElement[]} */ ([...this.renderRoot.querySelectorAll("section:first-child li[data-id]")]);
    const next = rows.find((row) => {
      const { top, height } = row.getBoundingClientRect();
      return event.clientY < top + height / 2;
    });
    this.gap = next?.dataset.id ?? null;
  }

  /** @param {boolean} keep */
  #onDrop(keep) {
    const { dragged, gap } = this;
    this.dragged = null;
    if (!keep || dragged === null || gap === undefined || gap === dragged) return;
    const rest = this.active.filter((one) => one.id !== dragged);
    const to = gap === null ? rest.length : rest.findIndex((one) => one.id === gap);
    if (this.active[to]?.id !== dragged) this.#move(dragged, gap, to);
  }
}

/** What to do about a fault; the server's words are for the command line where a token is wanted. @param {Fault} fault */
function hintOf({ code, hint }) {
  return code === "login-required" ? t("transfers.token") : hint;
}

define("wm-transfers", WmTransfers);
