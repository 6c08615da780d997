// Candidates side by side, one to be chosen: <wm-choices .item .chosen .base>.
// Wish: `wm-choose` { key, candidate }.

/** @import { Candidate, Item } from "../types.js" */

import { formatCount, formatDate, formatSize, previewLink, webLink, wordFor } from "../format.js";
import { css, html, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define, fileName } from "./base.js";
import { icon } from "./icons.js";
import { pageText } from "./links.js";

const STEPS = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 });

export class WmChoices extends WmElement {
  static properties = {
    item: { attribute: false },
    chosen: { attribute: false },
    base: { attribute: false },
  };

  static styles = [
    WmElement.styles,
    css`
      .group {
        display: grid;
        gap: 8px;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 180px), 1fr));
      }

      .card {
        background: var(--wm-ground);
        border: 1px solid var(--wm-line);
        border-radius: var(--wm-radius);
        display: flex;
        flex-direction: column;
        min-width: 0;
        overflow: hidden;
        position: relative;
      }

      .card.chosen {
        border-color: var(--wm-focus);
        box-shadow: inset 0 0 0 1px var(--wm-focus);
      }

      .choice {
        align-content: start;
        cursor: pointer;
        display: grid;
        flex: 1;
        gap: 8px 10px;
        grid-template-columns: 56px minmax(0, 1fr);
        padding: 10px;
      }

      .choice[aria-disabled="true"] {
        cursor: not-allowed;
      }

      .choice:focus-visible {
        outline-offset: -2px;
      }

      .picture {
        align-items: center;
        aspect-ratio: 1;
        background: var(--wm-card);
        border-radius: 6px;
        color: var(--wm-muted);
        display: flex;
        justify-content: center;
        overflow: hidden;
        position: relative;
        width: 56px;
      }

      .pictured .choice {
        grid-template-columns: 72px minmax(0, 1fr);
      }

      .pictured .picture {
        aspect-ratio: 3 / 4;
        width: 72px;
      }

      .picture img {
        height: 100%;
        inset: 0;
        object-fit: cover;
        position: absolute;
        width: 100%;
      }

      .picture img.gone {
        opacity: 0;
      }

      .title {
        display: -webkit-box;
        font-weight: 500;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        overflow: hidden;
        overflow-wrap: anywhere;
      }

      .chosen .title {
        padding-inline-end: 20px; /* beside the mark */
      }

      dl {
        display: grid;
        font-size: 12px;
        gap: 1px 10px;
        grid-column: 1 / -1;
        grid-template-columns: max-content minmax(0, 1fr);
      }

      dt {
        color: var(--wm-muted);
      }

      dd {
        overflow-wrap: anywhere;
      }

      .link {
        border-top: 1px solid var(--wm-line);
        font-size: 12px;
        padding: 6px 10px;
      }

      .mark {
        background: var(--wm-accent);
        border-radius: 999px;
        color: var(--wm-on-accent);
        inset-block-start: 6px;
        inset-inline-end: 6px;
        padding: 2px;
        position: absolute;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Item | null} */
    this.item = null;
    /** @type {number | null} */
    this.chosen = null;
    this.base = "";
  }

  render() {
    const item = this.item;
    if (!item) return nothing;
    const pictured = item.candidates.some(({ preview }) => previewLink(this.base, preview));
    return html`<div class="group ${pictured ? "pictured" : ""}" role="radiogroup" aria-label=${t("choices.label", { name: item.name })}
      @keydown=${this.#onKey}>${item.candidates.map((candidate) => this.#card(candidate))}</div>`;
  }

  /** @param {Candidate} candidate */
  #card(candidate) {
    const checked = candidate.index === this.chosen;
    const page = webLink(candidate.page);
    return html`<div class="card ${checked ? "chosen" : ""}">
        ${checked ? html`<span class="mark">${icon("check")}</span>` : nothing}
        <div class="choice" role="radio" aria-checked=${checked} aria-disabled=${!candidate.transfer}
          aria-labelledby="title-${candidate.index}" aria-describedby="facts-${candidate.index}"
          tabindex=${this.#stop() === candidate.index ? 0 : -1} @click=${() => this.#choose(candidate)}>
          <div class="picture">${this.#picture(candidate)}</div>
          <div>
            <div class="title" id="title-${candidate.index}">${titleOf(candidate)}</div>
            <div class="wm-small wm-muted">${candidate.hub_title || candidate.host}</div>
          </div>
          <dl id="facts-${candidate.index}">${factsOf(candidate).map(
            ([word, value]) => html`<dt>${word}</dt><dd>${value}</dd>`,
          )}</dl>
          ${candidate.transfer ? nothing : unavailable(candidate)}
        </div>
        ${page ? html`<div class="link">${pageText(page, candidate.hub_title)}</div>` : nothing}
      </div>`;
  }

  /** @param {Candidate} candidate */
  #picture(candidate) {
    const source = previewLink(this.base, candidate.preview);
    if (!source) return icon("image");
    return html`${icon("image")}<img src=${source} alt=${t("choices.preview", { name: titleOf(candidate) })} loading="lazy"
      decoding="async" fetchpriority="low" referrerpolicy="no-referrer" @load=${onPicture} @error=${onPicture} />`;
  }

  /** The one card that Tab stops at. */
  #stop() {
    const open = this.item?.candidates.filter((candidate) => candidate.transfer) ?? [];
    return (open.find(({ index }) => index === this.chosen) ?? open[0] ?? this.item?.candidates[0])?.index;
  }

  /** @param {Candidate} candidate */
  #choose(candidate) {
    if (candidate.transfer) this.emit("wm-choose", { key: this.item?.key, candidate: candidate.index });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const card = event.composedPath()[0];
    if (!(card instanceof HTMLElement) || card.getAttribute("role") !== "radio") return;
    const cards = /** @type {HTMLElement[]} */ ([...this.renderRoot.querySelectorAll(".choice")]);
    const at = cards.indexOf(card);
    const step = STEPS[event.key];
    if (step === undefined && event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    const next = step === undefined ? card : cards[(at + step + cards.length) % cards.length];
    next.focus();
    const candidate = this.item?.candidates[cards.indexOf(next)];
    if (candidate) this.#choose(candidate);
  }
}

/** @param {Candidate} candidate */
export function titleOf(candidate) {
  const version = candidate.version_name?.replace(/^[0-9a-f]{40}$/, (commit) => commit.slice(0, 7)); // as git shows it
  return [candidate.model_name ?? candidate.name, version].filter(Boolean).join(" · ");
}

/**
 * What is known of a candidate, in the order in which it helps to choose.
 *
 * @param {Candidate} candidate
 * @returns {[string, string | ReturnType<typeof html>][]}
 */
function factsOf(candidate) {
  const { base_model, precision, size, uploader, published_at, licence, downloads, evidence } = candidate;
  const date = formatDate(published_at);
  /** @type {[string, string | ReturnType<typeof html> | null][]} */
  const facts = [
    [t("choices.base"), base_model],
    [t("choices.precision"), precision],
    [t("choices.size"), size === null ? null : formatSize(size)],
    [t("choices.by"), uploader],
    [t("choices.date"), date],
    [t("choices.licence"), licence],
    [t("choices.downloads"), downloads === null ? null : formatCount(downloads)],
    [t("choices.file"), fileName(candidate.name)],
    [t("choices.evidence"), wordFor("evidence", evidence)],
  ];
  return facts.flatMap(([word, value]) => (value ? [[word, value]] : []));
}

/** @param {Candidate} candidate */
function unavailable(candidate) {
  const why = wordFor("access", candidate.access) || candidate.reason || t("choices.unavailable");
  return html`<div class="wm-small wm-warn wm-row" style="grid-column: 1 / -1">${icon("lock")}<span class="wm-grow">${why}</span></div>`;
}

/** A picture that does not come leaves the sign behind it to be seen. @param {globalThis.Event} event */
function onPicture({ type, target }) {
  if (target instanceof HTMLElement) target.classList.toggle("gone", type === "error");
}

define("wm-choices", WmChoices);
