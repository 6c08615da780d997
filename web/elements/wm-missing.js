// What a workflow needs and lacks: <wm-missing .view .transfers .status .notes .base>.
// Wishes: `wm-fetch` { key, body }, `wm-find` { key }, `wm-relink` { keys }, and those of <wm-item>.

/** @import { Item, Skipped, Status, TokenNote, Transfer, View } from "../types.js" */
/** @import { GroupName } from "../selection.js" */

import { formatSize, formatTotal, sentence } from "../format.js";
import { candidateOf, commonReason, faultsOf, fetchBody, fits, groupItems, hasOffer, itemsOf, mustAsk, neededOn, takenItems, underway } from "../selection.js";
import { css, html, nothing, repeat } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define, empty, keepKeys, note } from "./base.js";
import { icon } from "./icons.js";
import "./wm-consent.js";
import "./wm-item.js";

const FILTER_FROM = 6; // items from which a filter helps more than it stands in the way

export class WmMissing extends WmElement {
  static properties = {
    view: { attribute: false },
    transfers: { attribute: false },
    status: { attribute: false },
    notes: { attribute: false },
    base: { attribute: false },
    filter: { state: true },
    asking: { state: true },
  };

  static styles = [
    WmElement.styles,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 0;
      }

      .scroll {
        display: grid;
        flex: 1;
        align-content: start;
        gap: 12px;
        grid-template-columns: minmax(0, 1fr);
        min-height: 0;
        overflow-y: auto;
        padding: 12px;
      }

      h3 {
        align-items: baseline;
        color: var(--wm-muted);
        display: flex;
        font-size: 12px;
        font-weight: 500;
        gap: 8px;
        justify-content: space-between;
        padding: 0 10px 4px;
      }

      .about {
        padding: 0 10px 4px;
      }

      li + li {
        margin-top: 2px;
      }

      footer {
        border-top: 1px solid var(--wm-line);
        display: grid;
        gap: 8px;
        grid-template-columns: minmax(0, 1fr);
        padding: 10px 12px 12px;
      }

      footer .wm-button {
        width: 100%;
      }

      .wm-button.large {
        min-height: 34px;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {View | null} */
    this.view = null;
    /** @type {Transfer[]} */
    this.transfers = [];
    /** @type {Status | null} */
    this.status = null;
    /** @type {Record<string, TokenNote>} */
    this.notes = {};
    this.base = "";
    this.filter = "";
    this.asking = false; // the first question stands open
    this.addEventListener("wm-remember", (event) => this.#onRemember(/** @type {CustomEvent} */ (event)));
    this.addEventListener("keydown", this.#onArrow);
  }

  render() {
    const view = this.view;
    if (!view) return html`<div class="scroll">${empty("image", t("missing.empty.unscanned"))}</div>`;
    const items = itemsOf(view);
    const groups = groupItems(items.filter((item) => fits(item, this.filter)), this.transfers);
    const open = groupItems(items, this.transfers).length > 0;
    return html`
      <div class="scroll">
        ${this.#noteList(view)}
        ${items.length >= FILTER_FROM && open ? this.#filterField() : nothing}
        ${groups.map(([name, members]) => this.#group(view, name, members))}
        ${open ? this.#noMatch(groups.length) : this.#nothingOpen(view, items)}
        ${this.#here(items, open)}
      </div>
      ${open ? this.#footer(view, items) : nothing}`;
  }

  /** @param {View} view */
  #noteList(view) {
    const unknown = view.inspection?.unknown_nodes ?? [];
    const types = unknown.map((node) => node.type).join(", ");
    return html`
      ${view.fault ? note("wm-bad", "warn", view.fault.message, view.fault.hint) : nothing}
      ${faultsOf(view.plan).map((fault) => note("wm-warn", "offline", fault.message, fault.hint))}
      ${unknown.length ? note("wm-muted", "question", t("missing.unknown-nodes", { count: unknown.length, types })) : nothing}
      ${view.skipped.map((one) => note("wm-warn", "warn", skippedText(view, one), one.hint))}
      <p class="wm-small wm-muted wm-row" role="status" ?hidden=${!view.planning}>${icon("turn")}
        <span class="wm-grow">${view.planning ? this.#askingText(view) : ""}</span></p>`;
  }

  /** @param {View} view */
  #askingText(view) {
    const titles = (view.plan?.asking ?? []).map(
      (name) => this.status?.hubs.find((hub) => hub.name === name)?.title ?? name,
    );
    return titles.length ? t("missing.asking", { hubs: titles.join(", ") }) : t("missing.looking");
  }

  #filterField() {
    return html`<input class="wm-field" type="search" aria-label=${t("missing.filter")}
      placeholder=${t("missing.filter")} .value=${this.filter} @keydown=${keepKeys}
      @input=${(/** @type {{ target: HTMLInputElement }} */ event) => (this.filter = event.target.value)} />`;
  }

  /**
   * @param {View} view
   * @param {GroupName} name
   * @param {Item[]} items
   */
  #group(view, name, items) {
    const sizes = items.flatMap((item) => candidateOf(item, view.choices[item.key])?.size ?? []);
    const total = sizes.length ? formatTotal(sizes) : "";
    const common = name === "missing" ? commonReason(items) : null;
    const about = name === "confirm" ? t("group.confirm.about") : common === null ? "" : whyMissing(common);
    return html`<section aria-labelledby="group-${name}">
      <h3 id="group-${name}"><span>${t(`group.${name}`)} · ${items.length}</span><span>${total}</span></h3>
      ${about ? html`<p class="about wm-small wm-muted">${about}</p>` : nothing}
      <ul role="list">${repeat(
        items,
        (item) => item.key,
        (item) => html`<li><wm-item .item=${item} .choice=${view.choices[item.key]} .status=${this.status}
          .brief=${common !== null && item.reason === common} .transfer=${underway(item, this.transfers)} .notes=${this.notes} .base=${this.base}></wm-item></li>`,
      )}</ul>
    </section>`;
  }

  /** @param {number} groups */
  #noMatch(groups) {
    return groups ? nothing : html`<p class="wm-empty">${t("missing.filter.none", { text: this.filter })}</p>`;
  }

  /**
   * @param {View} view
   * @param {Item[]} items
   */
  #nothingOpen(view, items) {
    if (!view.inspection && !view.plan) return view.fault ? nothing : empty("turn", t("missing.looking"));
    return items.length ? empty("check", t("missing.empty")) : empty("check", t("missing.empty.none"));
  }

  /**
   * @param {Item[]} items
   * @param {boolean} open
   */
  #here(items, open) {
    const count = items.filter((item) => item.state === "present" && item.relink === null).length;
    return count && open ? html`<p class="wm-small wm-muted" style="padding: 0 10px">${t("missing.here", { count })}</p>` : nothing;
  }

  /**
   * @param {View} view
   * @param {Item[]} items
   */
  #footer(view, items) {
    const relinks = items.filter((item) => item.state === "present" && item.relink !== null).map((item) => item.key);
    const parts = view.plan ? this.#fetchPart(view) : this.#findPart(view, items);
    if (relinks.length < 2 && parts === nothing) return nothing;
    return html`<footer>
      ${relinks.length > 1
        ? html`<button class="wm-button" @click=${() => this.emit("wm-relink", { keys: relinks })}>
            ${icon("link")}${t("missing.relink-all", { count: relinks.length })}</button>`
        : nothing}
      ${parts}
    </footer>`;
  }

  /**
   * @param {View} view
   * @param {Item[]} items
   */
  #findPart(view, items) {
    if (view.planning || !items.some((item) => item.state === "missing")) return nothing;
    return html`<button class="wm-button primary large" @click=${() => this.emit("wm-find", { key: view.key })}>
      ${t("missing.find")}</button>`;
  }

  /** @param {View} view */
  #fetchPart(view) {
    if (!hasOffer(view, this.transfers)) return nothing;
    const taken = takenItems(view, this.transfers);
    if (this.asking && taken.length) return html`<wm-consent></wm-consent>`;
    const size = formatTotal(taken.map(({ candidate }) => candidate.size));
    const drives = neededOn(taken, view, this.status);
    return html`
      ${drives.map(driveLine)}
      <button class="wm-button primary large" id="fetch" ?disabled=${!taken.length || drives.some((drive) => !drive.enough)}
        @click=${() => this.#onFetch(view)}>${icon("download")}
        ${taken.length ? t("missing.fetch", { count: taken.length, size }) : t("missing.fetch.none")}</button>`;
  }

  /** @param {View} view */
  #onFetch(view) {
    if (!mustAsk(this.status, takenItems(view, this.transfers))) return this.#fetch(view);
    this.asking = true;
    void this.focusOn("wm-consent");
  }

  /** @param {CustomEvent<{ remember: boolean | null }>} event */
  #onRemember(event) {
    event.stopPropagation();
    this.asking = false;
    const { remember } = event.detail;
    if (remember === null) void this.focusOn("#fetch");
    else if (this.view) this.#fetch(this.view, remember);
  }

  /**
   * @param {View} view
   * @param {boolean} [remember]
   */
  #fetch(view, remember) {
    this.emit("wm-fetch", { key: view.key, body: fetchBody(view, this.transfers, remember) });
  }

  /**
   * Up and Down go from item to item; within a field or a choice they keep their own meaning.
   *
   * @param {KeyboardEvent} event
   */
  #onArrow(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const origin = event.composedPath()[0];
    if (!step || event.altKey || !(origin instanceof HTMLElement) || origin.matches("select, [type=search], [type=password]")) return;
    const items = /** @type {HTMLElement[]} */ ([...this.renderRoot.querySelectorAll("wm-item")]);
    const next = items[items.findIndex((item) => event.composedPath().includes(item)) + step];
    if (!next || !event.composedPath().some((target) => items.includes(/** @type {HTMLElement} */ (target)))) return;
    event.preventDefault();
    event.stopPropagation();
    next.focus();
  }
}

/** What is said once for many files that are not found. @param {string} reason */
function whyMissing(reason) {
  return reason ? `${sentence(reason)} ${t("group.missing.help")}` : t("item.not-searched");
}

/** @param {ReturnType<typeof neededOn>[number]} drive */
function driveLine(drive) {
  const values = { label: drive.label, needed: formatSize(drive.needed), free: formatSize(drive.free) };
  if (!drive.enough) return note("wm-bad", "warn", t("missing.drive.full", values));
  const text = drive.free === null ? t("missing.drive.unknown", values) : t("missing.drive", values);
  return html`<p class="wm-small wm-muted">${text}</p>`;
}

/**
 * @param {View} view
 * @param {Skipped} skipped
 */
function skippedText(view, skipped) {
  const name = view.plan?.items.find((item) => item.key === skipped.key)?.name ?? skipped.key;
  return t("missing.skipped", { name, message: skipped.message });
}

define("wm-missing", WmMissing);
