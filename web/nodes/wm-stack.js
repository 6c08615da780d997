// The rows of a LoRA stack, to be edited: <wm-stack .lines .names>.
// Wish: `wm-lines` { lines }.

/** @import { Line, Row } from "./stack.js" */

import { WmElement, define, keepKeys } from "../elements/base.js";
import { icon } from "../elements/icons.js";
import { css, html, live, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { newRow } from "./stack.js";

export class WmStack extends WmElement {
  static properties = {
    lines: { attribute: false },
    names: { attribute: false },
    draft: { state: true },
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

      li {
        align-items: center;
        display: grid;
        gap: 4px;
        grid-template-columns: auto minmax(0, 1fr) 56px 56px auto;
        padding: 3px 0;
      }

      li.off .wm-field {
        opacity: 0.55;
      }

      .words {
        grid-column: 2 / 5;
      }

      .note {
        color: var(--wm-muted);
        grid-column: 1 / -1;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }

      .wm-field {
        font-size: 12px;
        min-height: 26px;
        padding: 2px 6px;
        width: 100%;
      }

      .moves {
        display: flex;
      }

      .wm-button.icon {
        min-height: 24px;
        padding: 2px;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Line[]} */
    this.lines = [];
    /** @type {string[]} */
    this.names = [];
    /** @type {Row | null} a row that has no name yet: it is in no text, as no run could read it */
    this.draft = null;
  }

  render() {
    return html`
      <datalist id="names">${this.names.map((name) => html`<option value=${name}></option>`)}</datalist>
      <ul role="list" aria-label=${t("stack.list")}>${this.#shown.map((line, at) => this.#line(line, at))}</ul>
      <button class="wm-button" @click=${this.#add}>${t("stack.add")}</button>`;
  }

  /** @returns {Line[]} */
  get #shown() {
    return this.draft ? [...this.lines, { row: this.draft }] : this.lines;
  }

  /**
   * @param {Line} line
   * @param {number} at
   */
  #line({ row, raw }, at) {
    if (!row) return raw?.trim() ? html`<li><span class="note" title=${raw}>${raw}</span></li>` : nothing;
    const name = row.name || t("stack.unnamed");
    return html`<li class=${row.on ? "" : "off"}>
      <input type="checkbox" aria-label=${t("stack.on", { name })} .checked=${live(row.on)}
        @change=${(/** @type {any} */ event) => this.#change(at, { on: event.target.checked })} />
      ${this.#field(at, "name", row.name, { label: t("stack.name"), list: "names", placeholder: t("stack.placeholder") })}
      ${this.#strength(at, "strength_model", row.strength_model, t("stack.model", { name }))}
      ${this.#strength(at, "strength_clip", row.strength_clip, t("stack.clip", { name }))}
      <span class="moves">
        ${this.#button(t("stack.up", { name }), "up", at === 0 || at === this.lines.length, () => this.#move(at, -1))}
        ${this.#button(t("stack.down", { name }), "down", at >= this.lines.length - 1, () => this.#move(at, 1))}
        ${this.#button(t("stack.remove", { name }), "trash", false, () => this.#remove(at))}
      </span>
      <span class="words">${this.#field(at, "words", row.words ?? "", {
        label: t("stack.words", { name }),
        placeholder: t("stack.words.all"),
      })}</span>
    </li>`;
  }

  /**
   * @param {number} at
   * @param {"name" | "words"} key
   * @param {string} value
   * @param {{ label: string, placeholder: string, list?: string }} how
   */
  #field(at, key, value, { label, placeholder, list }) {
    const onChange = (/** @type {any} */ event) => {
      const text = event.target.value.trim();
      if (key === "name" && text === "") return this.requestUpdate(); // back to what it was
      this.#change(at, { [key]: key === "words" && text === "" ? null : text });
    };
    return html`<input class="wm-field" type="text" aria-label=${label} placeholder=${placeholder} list=${list ?? nothing}
      .value=${live(value)} @keydown=${keepKeys} @change=${onChange} />`;
  }

  /**
   * @param {number} at
   * @param {"strength_model" | "strength_clip"} key
   * @param {number} value
   * @param {string} label
   */
  #strength(at, key, value, label) {
    const onChange = (/** @type {any} */ event) => {
      const number = event.target.valueAsNumber;
      if (Math.abs(number) <= 100) this.#change(at, { [key]: number });
      else this.requestUpdate(); // back to what it was
    };
    return html`<input class="wm-field" type="number" step="0.05" min="-100" max="100" aria-label=${label} title=${label}
      .value=${live(String(value))} @keydown=${keepKeys} @change=${onChange} />`;
  }

  /**
   * @param {string} label
   * @param {import("../elements/icons.js").Icon} sign
   * @param {boolean} disabled
   * @param {() => void} act
   */
  #button(label, sign, disabled, act) {
    return html`<button class="wm-button quiet icon" aria-label=${label} title=${label} ?disabled=${disabled}
      @click=${act}>${icon(sign)}</button>`;
  }

  /**
   * @param {number} at
   * @param {Partial<Row>} changes
   */
  #change(at, changes) {
    if (at === this.lines.length) return this.#fill(changes);
    this.#say(this.lines.map((line, n) => (n === at && line.row ? { row: { ...line.row, ...changes } } : line)));
  }

  /** The draft becomes a line once it has a name. @param {Partial<Row>} changes */
  #fill(changes) {
    const row = { ...newRow(), ...this.draft, ...changes };
    this.draft = row.name ? null : row;
    if (row.name) this.#say([...this.lines, { row }]);
  }

  /**
   * @param {number} at
   * @param {number} step
   */
  #move(at, step) {
    const lines = [...this.lines];
    [lines[at], lines[at + step]] = [lines[at + step], lines[at]];
    this.#say(lines);
  }

  /** A row to be filled in: what is typed next is its name. */
  #add() {
    this.draft ??= newRow();
    void this.focusOn("li:last-child [list]");
  }

  /** @param {number} at */
  #remove(at) {
    if (at === this.lines.length) this.draft = null;
    else this.#say(this.lines.filter((_, n) => n !== at));
  }

  /** @param {Line[]} lines */
  #say(lines) {
    this.lines = lines;
    this.emit("wm-lines", { lines });
  }
}

define("wm-stack", WmStack);
