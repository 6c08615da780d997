// Trigger words with a switch each: <wm-words .words .off>. Wish: `wm-off` { off }.

import { WmElement, define } from "../elements/base.js";
import { css, html } from "../vendor/lit.js";
import { t } from "../words.js";

export class WmWords extends WmElement {
  static properties = {
    words: { attribute: false },
    off: { attribute: false },
  };

  static styles = [
    WmElement.styles,
    css`
      :host {
        display: block;
        font-size: 12px;
        overflow-y: auto;
        padding: 4px;
      }

      .list {
        display: flex;
        flex-wrap: wrap;
        gap: 4px;
      }

      button {
        border: 1px solid var(--wm-line);
        border-radius: 999px;
        background: var(--wm-card);
        color: var(--wm-fg);
        cursor: pointer;
        font: inherit;
        max-width: 100%;
        overflow: hidden;
        padding: 3px 10px;
        text-overflow: ellipsis;
        white-space: nowrap;
      }

      button[aria-pressed="false"] {
        background: none;
        color: var(--wm-muted);
        text-decoration: line-through;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {string[]} */
    this.words = [];
    /** @type {string[]} */
    this.off = [];
  }

  render() {
    if (!this.words.length) return html`<p class="wm-muted">${t("words.none")}</p>`;
    return html`<div class="list" role="group" aria-label=${t("words.list")}>${this.words.map((word) => this.#chip(word))}</div>`;
  }

  /** @param {string} word */
  #chip(word) {
    const isOn = !this.off.some((one) => isSame(one, word));
    return html`<button aria-pressed=${isOn} title=${word} @click=${() => this.#toggle(word, isOn)}>${word}</button>`;
  }

  /**
   * @param {string} word
   * @param {boolean} isOn
   */
  #toggle(word, isOn) {
    this.off = isOn ? [...this.off, word] : this.off.filter((one) => !isSame(one, word));
    this.emit("wm-off", { off: this.off });
  }
}

/**
 * @param {string} one
 * @param {string} other
 */
function isSame(one, other) {
  return one.trim().toLowerCase() === other.trim().toLowerCase();
}

define("wm-words", WmWords);
