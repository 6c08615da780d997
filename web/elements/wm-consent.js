// Questions before a file is fetched.
//
//     <wm-consent>                             the first question: by itself from now on, or ask each time
//     <wm-consent .item .candidate .agreed>    one file's own question: a foreign host, a pickle
//
// Wishes: `wm-remember` { remember: true | false | null }, null for "not now"; `wm-agree` { key, agreed }.

/** @import { Candidate, Item } from "../types.js" */

import { sentence } from "../format.js";
import { css, html } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define } from "./base.js";
import { icon } from "./icons.js";

export class WmConsent extends WmElement {
  static properties = {
    item: { attribute: false },
    candidate: { attribute: false },
    agreed: { attribute: false },
  };

  static styles = [
    WmElement.styles,
    css`
      .box {
        background: var(--wm-card);
        border-radius: var(--wm-radius);
        display: grid;
        gap: 8px;
        padding: 12px;
      }

      .file {
        background: color-mix(in srgb, var(--wm-warn) 10%, transparent);
        display: grid;
        gap: 6px;
        padding: 8px 10px;
        border-radius: var(--wm-radius);
      }

      .file > .wm-row {
        align-items: start;
        flex-wrap: nowrap;
      }

      h3 {
        font-size: 13px;
        font-weight: 600;
      }

      label {
        align-items: start;
        cursor: pointer;
        display: flex;
        gap: 8px;
        overflow-wrap: anywhere;
      }

      label input {
        margin-top: 1px;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Item | null} */
    this.item = null;
    /** @type {Candidate | null} */
    this.candidate = null;
    this.agreed = false;
  }

  render() {
    return this.item && this.candidate ? this.#file(this.item, this.candidate) : this.#first();
  }

  #first() {
    const answer = (/** @type {boolean | null} */ remember) => () => this.emit("wm-remember", { remember });
    return html`<div class="box" role="group" aria-labelledby="title" aria-describedby="explain"
      @keydown=${this.#onKey}>
      <h3 id="title">${t("consent.title")}</h3>
      <p id="explain" class="wm-small wm-muted">${t("consent.explain")}</p>
      <div class="wm-row">
        <button class="wm-button primary" @click=${answer(true)}>${t("consent.yes")}</button>
        <button class="wm-button" style="border-color: var(--wm-line)" @click=${answer(false)}>
          ${t("consent.no")}</button>
        <button class="wm-button quiet" @click=${answer(null)}>${t("consent.later")}</button>
      </div>
    </div>`;
  }

  /**
   * @param {Item} item
   * @param {Candidate} candidate
   */
  #file(item, candidate) {
    const foreign = candidate.hub === "web" && candidate.host;
    const agree = foreign ? html`${t("consent.agree")} <span class="wm-code">${foreign}</span>` : t("consent.agree.plain");
    const onChange = (/** @type {{ target: HTMLInputElement }} */ event) =>
      this.emit("wm-agree", { key: item.key, agreed: event.target.checked });
    return html`<div class="file wm-small">
      ${candidate.format === "pickle"
        ? html`<p class="wm-row wm-warn">${icon("warn")}<span class="wm-grow">${sentence(candidate.reason)}
            ${t("consent.trust")}</span></p>`
        : html`<p class="wm-muted">${foreign ? t("consent.host") : sentence(candidate.reason)}</p>`}
      <label><input type="checkbox" .checked=${this.agreed} @change=${onChange} /><span>${agree}</span></label>
    </div>`;
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.emit("wm-remember", { remember: null });
  }

  /** Put the focus on the first answer. */
  focus() {
    void this.focusOn("button, input");
  }
}

define("wm-consent", WmConsent);
