// Hubs' tokens: set, test, remove. Nothing reads one back, and the field forgets what was typed.
//
//     <wm-tokens .hubs .notes>          every hub, or with `only` the one of that name
//
// Wishes: `wm-token-set` { hub, token }, `wm-token-test` { hub }, `wm-token-remove` { hub }.

/** @import { Hub, TokenNote } from "../types.js" */

import { wordFor } from "../format.js";
import { css, html, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define, keepKeys, note } from "./base.js";
import { icon } from "./icons.js";
import { webText } from "./links.js";

/** Where hubs give tokens out. */
const PAGES = /** @type {Record<string, string>} */ ({
  civitai: "https://civitai.com/user/account",
  huggingface: "https://huggingface.co/settings/tokens",
});

export class WmTokens extends WmElement {
  static properties = {
    hubs: { attribute: false },
    notes: { attribute: false },
    only: {},
  };

  static styles = [
    WmElement.styles,
    css`
      :host {
        display: block;
      }

      .hub {
        display: grid;
        gap: 6px;
        padding: 8px 0;
      }

      .hub + .hub {
        border-top: 1px solid var(--wm-line);
      }

      strong {
        min-width: max-content;
      }

      .wm-row > .quiet:first-child {
        margin-inline-start: -10px; /* its word stands below the field's edge */
      }

      form {
        display: flex;
        gap: 6px;
      }

      input {
        flex: 1;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Hub[]} */
    this.hubs = [];
    /** @type {Record<string, TokenNote>} */
    this.notes = {};
    /** @type {string | null} */
    this.only = null;
  }

  render() {
    return this.hubs.filter((hub) => !this.only || hub.name === this.only).map((hub) => this.#hub(hub));
  }

  /** @param {Hub} hub */
  #hub(hub) {
    const fixed = hub.token_where === "environment";
    return html`<div class="hub" role="group" aria-label=${hub.title}>
      <div class="wm-row">
        <strong class="wm-grow">${hub.title}</strong>
        ${chipOf(hub, this.notes[hub.name])}
      </div>
      ${fixed ? html`<p class="wm-small wm-muted">${t("tokens.environment")}</p>` : this.#form(hub)}
      <div class="wm-row">
        ${hub.has_token ? this.#buttons(hub, fixed) : nothing}
        ${hub.has_token && !this.notes[hub.name]?.refused ? nothing : webText(PAGES[hub.name], t("tokens.get", { hub: hub.title }))}
      </div>
      <div role="status">${this.#note(hub)}</div>
    </div>`;
  }

  /** @param {Hub} hub */
  #form(hub) {
    const busy = this.notes[hub.name]?.state === "busy";
    return html`<form @submit=${(/** @type {SubmitEvent} */ event) => this.#save(event, hub)}>
      <input class="wm-field" type="password" name="token" required autocomplete="off" spellcheck="false"
        aria-label=${t("tokens.field", { hub: hub.title })} placeholder=${t("tokens.placeholder")}
        @keydown=${keepKeys} />
      <button class="wm-button" ?disabled=${busy}>${hub.has_token ? t("tokens.replace") : t("tokens.save")}</button>
    </form>`;
  }

  /**
   * @param {Hub} hub
   * @param {boolean} fixed
   */
  #buttons(hub, fixed) {
    const wish = (/** @type {string} */ name) => () => this.emit(name, { hub: hub.name });
    return html`
      <button class="wm-button quiet" aria-label=${t("tokens.test-of", { hub: hub.title })}
        @click=${wish("wm-token-test")}>${t("tokens.test")}</button>
      ${fixed ? nothing : html`<button class="wm-button quiet" aria-label=${t("tokens.remove-of", { hub: hub.title })}
        @click=${wish("wm-token-remove")}>${t("tokens.remove")}</button>`}`;
  }

  /** @param {Hub} hub */
  #note(hub) {
    const said = this.notes[hub.name];
    if (!said || said.state === "none") return nothing;
    const look = { busy: "wm-muted", good: "wm-good", bad: "wm-bad" }[said.state];
    const sign = /** @type {const} */ ({ busy: "turn", good: "check", bad: "warn" })[said.state];
    return note(look, sign, said.message);
  }

  /**
   * @param {SubmitEvent} event
   * @param {Hub} hub
   */
  #save(event, hub) {
    event.preventDefault();
    const field = /** @type {HTMLFormElement} */ (event.target).elements.namedItem("token");
    if (!(field instanceof HTMLInputElement)) return;
    const token = field.value.trim();
    field.value = "";
    if (token) this.emit("wm-token-set", { hub: hub.name, token });
  }
}

/** @param {Hub} hub @param {TokenNote} [said] */
function chipOf(hub, said) {
  if (!hub.has_token) return html`<span class="wm-chip wm-muted">${t("tokens.not-set")}</span>`;
  if (said?.refused) return html`<span class="wm-chip wm-bad">${icon("warn")}${t("tokens.is-refused")}</span>`;
  const where = wordFor("where", hub.token_where);
  return html`<span class="wm-chip wm-good">${icon("check")}${where ? t("tokens.set-where", { where }) : t("tokens.set")}</span>`;
}

define("wm-tokens", WmTokens);
