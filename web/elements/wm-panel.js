// The whole panel: <wm-panel .state tab="missing">. What it is told comes from a Store; the wishes of all that is
// in it come up through it. Its own: `wm-rescan`, `wm-tab` { tab }, `wm-dismiss`.

/** @import { Drive, State, Transfer, View } from "../types.js" */

import { formatSize } from "../format.js";
import { countMissing } from "../needs.js";
import { faultsOf } from "../selection.js";
import { EMPTY, currentView, sortedTransfers } from "../store.js";
import { isDark } from "../theme.js";
import { tokenNotes } from "../tokens.js";
import { css, html, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define, note } from "./base.js";
import { icon } from "./icons.js";
import "./wm-missing.js";
import "./wm-settings.js";
import "./wm-tokens.js";
import "./wm-transfers.js";

/** @typedef {"missing" | "transfers" | "settings"} Tab */

/** @type {Tab[]} */
const TABS = ["missing", "transfers", "settings"];

export class WmPanel extends WmElement {
  static properties = {
    state: { attribute: false },
    tab: { reflect: true },
  };

  static styles = [
    WmElement.styles,
    css`
      :host {
        display: flex;
        flex-direction: column;
        height: 100%;
        min-height: 0;
        min-width: 0;
      }

      header {
        border-bottom: 1px solid var(--wm-line);
        display: grid;
        container-type: inline-size;
        gap: 4px;
        grid-template-columns: minmax(0, 1fr);
        padding: 10px 12px 0;
      }

      .bar {
        align-items: center;
        display: flex;
        gap: 8px;
        min-height: 28px;
      }

      h2 {
        font-size: 14px;
        font-weight: 600;
      }

      .bar > .wm-button {
        margin-inline-start: auto;
      }

      [role="tablist"] {
        display: flex;
        flex-wrap: wrap;
        gap: 0 4px;
      }

      [role="tab"] {
        align-items: center;
        background: none;
        border: 0;
        border-bottom: 2px solid transparent;
        border-radius: 6px 6px 0 0;
        color: var(--wm-muted);
        cursor: pointer;
        display: inline-flex;
        gap: 6px;
        min-height: 34px;
        padding: 6px 8px;
      }

      [role="tab"]:hover {
        color: var(--wm-fg);
      }

      [role="tab"][aria-selected="true"] {
        border-bottom-color: var(--wm-primary);
        color: var(--wm-fg);
      }

      .count {
        background: var(--wm-card);
        border-radius: 999px;
        font-size: 11px;
        font-variant-numeric: tabular-nums;
        line-height: 18px;
        min-width: 18px;
        padding: 0 6px;
        text-align: center;
      }

      .fault {
        display: flex;
        gap: 4px;
      }

      .fault > .wm-note {
        flex: 1;
      }

      .drives {
        display: flex;
        flex: 1;
        flex-wrap: wrap;
        gap: 0 12px;
        justify-content: end;
        min-width: 0;
        overflow-wrap: anywhere;
      }

      /* Three tabs stay in one line down to the narrowest sidebar. */
      @container (max-width: 270px) {
        [role="tablist"] {
          gap: 0;
          margin-inline: -6px;
        }

        [role="tab"] {
          font-size: 12px;
          gap: 3px;
          padding: 6px 3px;
        }

        .count {
          min-width: 16px;
          padding: 0 3px;
        }

        .bar {
          flex-wrap: wrap;
        }

        .drives:has(> :nth-child(2)) {
          flex-basis: 100%;
          justify-content: start;
          order: 1;
        }
      }

      [role="tabpanel"] {
        display: flex;
        flex: 1;
        flex-direction: column;
        min-height: 0;
      }

      [role="tabpanel"] > * {
        flex: 1;
      }

      .page {
        overflow-y: auto;
        padding: 12px;
      }

      .page > h3 {
        font-size: 13px;
        font-weight: 600;
      }

      .page > h3:not(:first-child) {
        margin-top: 20px;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {State} */
    this.state = EMPTY;
    /** @type {Tab} */
    this.tab = "missing";
  }

  connectedCallback() {
    super.connectedCallback();
    this.style.colorScheme = isDark(this) ? "dark" : "light";
  }

  /** Colours of the page may have changed since the last drawing; reading one style is cheap. */
  updated() {
    const scheme = isDark(this) ? "dark" : "light";
    if (this.style.colorScheme !== scheme) this.style.colorScheme = scheme;
  }

  render() {
    const view = currentView(this.state);
    const transfers = sortedTransfers(this.state);
    const counts = { missing: countMissing(view), transfers: transfers.active.length, settings: 0 };
    return html`
      <header>
        <div class="bar">
          <h2>${t("panel.title")}</h2>
          ${this.#drives()}
          <button class="wm-button quiet icon" aria-label=${t("panel.rescan")} title=${t("panel.rescan")}
            @click=${() => this.emit("wm-rescan")}>${icon("refresh")}</button>
        </div>
        ${this.#notes()}
        <div role="tablist" aria-label=${t("panel.tabs")} @keydown=${this.#onKey}>
          ${TABS.map((tab) => this.#tab(tab, counts[tab]))}
        </div>
      </header>
      <div role="tabpanel" id="panel" aria-labelledby="tab-${this.tab}">${this.#page(view, transfers)}</div>`;
  }

  /**
   * @param {Tab} tab
   * @param {number} count
   */
  #tab(tab, count) {
    const selected = this.tab === tab;
    return html`<button role="tab" id="tab-${tab}" aria-selected=${selected} aria-controls="panel"
      tabindex=${selected ? 0 : -1} @click=${() => this.#show(tab)}>${t(`panel.${tab}`)}
      ${count ? html`<span class="count">${count}</span>` : nothing}</button>`;
  }

  /**
   * @param {View | null} view
   * @param {{ active: Transfer[], ended: Transfer[] }} transfers
   */
  #page(view, { active, ended }) {
    const { status, base, settings, speed } = this.state;
    const tokens = tokenNotes(this.state);
    switch (this.tab) {
      case "transfers":
        return html`<wm-transfers .active=${active} .ended=${ended} .speed=${speed}></wm-transfers>`;
      case "settings":
        return html`<div class="page">
          <h3>${t("tokens.title")}</h3>
          <p class="wm-small wm-muted">${t("tokens.explain")}</p>
          <wm-tokens .hubs=${status?.hubs ?? []} .notes=${tokens}></wm-tokens>
          <h3>${t("settings.title")}</h3>
          <wm-settings .settings=${settings} .roots=${status?.roots ?? []}></wm-settings>
        </div>`;
      default:
        return html`<wm-missing .view=${view} .transfers=${active} .status=${status} .notes=${tokens}
          .base=${base}></wm-missing>`;
    }
  }

  #drives() {
    const drives = this.state.status?.drives ?? [];
    if (!drives.length) return nothing;
    const [word, which] = drives.length > 1 ? /** @type {const} */ (["panel.free-on", ""]) : /** @type {const} */ (["panel.free", drives[0].label]);
    const text = (/** @type {Drive} */ { label, free }) => t(word, { label, free: formatSize(free) });
    return html`<p class="drives wm-small wm-muted" title=${which}>${drives.map((drive) => html`<span>${text(drive)}</span>`)}</p>`;
  }

  #notes() {
    const { link, status } = this.state;
    const below = this.tab === "missing" ? currentView(this.state) : null; // its list says some of it already
    const fault = this.state.fault?.message === below?.fault?.message ? null : this.state.fault;
    const told = new Set(faultsOf(below?.plan ?? null).map(({ hub }) => hub));
    const down = (status?.hubs ?? []).filter(({ name, state }) => state === "unreachable" && !status?.offline && !told.has(name));
    return html`
      ${link === "lost" ? note("wm-bad", "offline", t("panel.lost")) : nothing}
      ${status?.offline ? note("wm-info", "offline", t("panel.offline")) : nothing}
      ${down.map((hub) => note("wm-warn", "offline", t("panel.hub-down", { hub: hub.title })))}
      ${fault
        ? html`<div class="fault" role="alert">${note("wm-bad", "warn", fault.message, fault.hint)}
            <button class="wm-button quiet icon" aria-label=${t("panel.dismiss")}
              @click=${() => this.emit("wm-dismiss")}>${icon("close")}</button></div>`
        : nothing}`;
  }

  /** @param {Tab} tab */
  #show(tab) {
    this.tab = tab;
    this.emit("wm-tab", { tab });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const at = TABS.indexOf(this.tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#show(TABS[(to + TABS.length) % TABS.length]);
    void this.focusOn(`#tab-${this.tab}`);
  }
}

define("wm-panel", WmPanel);
