// Whether certain files come by themselves, and the way to be asked again: <wm-certain .certain>.
// A yes is only ever given to a plan that is shown. Wish: `wm-settings` { changes }.

import { css, html, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define } from "./base.js";

export class WmCertain extends WmElement {
  static properties = { certain: { attribute: false } };

  static styles = [
    WmElement.styles,
    css`
      :host {
        display: block;
      }

      .wm-row {
        justify-content: end;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {boolean | null} null: nobody was asked yet */
    this.certain = null;
  }

  render() {
    const answer = this.certain === null ? t("host.certain.asked") : t(this.certain ? "host.certain.yes" : "host.certain.no");
    const ask = () => this.emit("wm-settings", { changes: { fetch_certain: null } });
    return html`<div class="wm-row"><span>${answer}</span>
      ${this.certain === null ? nothing : html`<button class="wm-button" @click=${ask}>${t("host.ask-again")}</button>`}</div>`;
  }
}

define("wm-certain", WmCertain);
