// Our settings as rows, for our panel and for ComfyUI's settings dialog: <wm-settings .settings>.
// With `only` (keys, separated by spaces) those alone; `roots` are what folders may be given as a target.
// `bare` leaves the names out, for a row that has one. What only the server can change is folded away.
// Wish: `wm-settings` { changes }; a null takes the default.

/** @import { Root, Setting } from "../types.js" */

import { choiceName, formatSize, sentence, settingName } from "../format.js";
import { css, html, live, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define, keepKeys } from "./base.js";
import "./wm-certain.js";

const CERTAIN = "fetch_certain";

export class WmSettings extends WmElement {
  static properties = {
    settings: { attribute: false },
    roots: { attribute: false },
    only: {},
    bare: { type: Boolean, reflect: true },
  };

  static styles = [
    WmElement.styles,
    css`
      :host {
        container-type: inline-size;
        display: block;
      }

      .setting {
        align-items: center;
        display: grid;
        gap: 2px 12px;
        grid-template-columns: minmax(0, 1fr) minmax(0, max-content);
        padding: 8px 0;
      }

      .setting + .setting {
        border-top: 1px solid var(--wm-line);
      }

      .setting > p {
        grid-column: 1;
      }

      .value {
        align-items: center;
        display: flex;
        gap: 6px;
        grid-row: 1 / span 2;
        grid-column: 2;
        justify-content: end;
        max-width: 200px;
      }

      .value .wm-field {
        width: 120px;
      }

      .value select.wm-field {
        max-width: 100%;
        width: auto;
      }

      @container (max-width: 320px) {
        .value .wm-field {
          width: 92px;
        }

        .setting:has(select, wm-certain) {
          grid-template-columns: minmax(0, 1fr);
        }

        .setting:has(select, wm-certain) .value {
          grid-column: 1;
          grid-row: auto;
          justify-content: start;
        }
      }

      :host([bare]) .setting {
        border: 0;
        padding: 2px 0;
      }

      .alone {
        text-align: end;
      }

      :host([bare]) .value {
        grid-row: 1;
        max-width: none;
      }

      :host([bare]) .value .wm-field {
        width: 200px;
      }

      details {
        margin-top: 8px;
      }

      summary {
        color: var(--wm-muted);
        cursor: pointer;
        padding: 6px 0;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Setting[] | null} */
    this.settings = null;
    /** @type {Root[]} */
    this.roots = [];
    /** @type {string | null} */
    this.only = null;
    this.bare = false;
  }

  render() {
    if (!this.settings) return html`<p class="wm-muted">${t("settings.none")}</p>`;
    const wanted = this.only?.split(/\s+/);
    const shown = this.settings.filter((setting) => !wanted || wanted.includes(setting.key));
    const mine = shown.filter((setting) => isWritable(setting) || setting.key === CERTAIN);
    const rest = shown.filter((setting) => !mine.includes(setting));
    return html`${mine.map((setting) => this.#row(setting))}
      ${rest.length && !wanted
        ? html`<details><summary>${t("settings.advanced")}</summary>
            <p class="wm-small wm-muted">${t("settings.guarded")}</p>${rest.map((setting) => this.#row(setting))}</details>`
        : rest.map((setting) => this.#row(setting))}`;
  }

  /** @param {Setting} setting */
  #row(setting) {
    if (setting.kind === "places" && isWritable(setting)) return this.#targets(setting);
    if (setting.key === CERTAIN && !isWritable(setting)) return certainRow(setting);
    const writable = isWritable(setting);
    const why = setting.origin === "environment" ? t("settings.environment") : "";
    return html`<div class="setting">
      <label class=${this.bare ? "wm-hidden" : ""} for=${writable ? setting.key : nothing} id="label-${setting.key}">${settingName(setting)}</label>
      <div class="value" title=${this.bare ? setting.help : nothing}>${writable ? this.#control(setting) : html`<span class="wm-muted">${shownValue(setting)}</span>`}</div>
      <p class=${this.bare ? "wm-hidden" : "wm-small wm-muted"} id="help-${setting.key}">${[sentence(setting.help), sentence(why)].filter(Boolean).join(" ")}</p>
    </div>`;
  }

  /**
   * Where new files go, for each folder that several directories serve; nothing where there is no choice.
   *
   * @param {Setting} setting
   */
  #targets(setting) {
    const writable = this.roots.filter((root) => root.writable);
    const folders = [...new Set(writable.map((root) => root.folder))].sort();
    const rows = folders
      .map((folder) => /** @type {const} */ ([folder, writable.filter((root) => root.folder === folder)]))
      .filter(([, roots]) => roots.length > 1)
      .map(([folder, roots]) => this.#target(setting, folder, roots));
    return this.bare && !rows.length ? html`<p class="wm-muted alone">${t("settings.one-root")}</p>` : rows;
  }

  /** @param {Setting} setting @param {string} folder @param {Root[]} roots */
  #target({ key, value }, folder, roots) {
    const chosen = /** @type {Record<string, string | null>} */ (value ?? {});
    const id = chosen[folder] ?? roots.find((root) => root.default)?.id;
    const change = (/** @type {string} */ root) => {
      const kept = Object.entries(chosen).filter(([, one]) => one !== null); // null: a directory that is gone
      this.emit("wm-settings", { changes: { [key]: { ...Object.fromEntries(kept), [folder]: root } } });
    };
    return html`<div class="setting">
      <label for="${key}-${folder}">${this.bare ? folder : t("settings.target", { folder })}</label>
      <div class="value"><select class="wm-field" id="${key}-${folder}"
        @change=${(/** @type {{ target: HTMLSelectElement }} */ event) => change(event.target.value)}>
        ${roots.map((root) => html`<option value=${root.id} ?selected=${root.id === id}>${root.label}</option>`)}
      </select></div>
    </div>`;
  }

  /** @param {Setting} setting */
  #control(setting) {
    const { key, kind, value, choices } = setting;
    const change = (/** @type {unknown} */ next) => this.emit("wm-settings", { changes: { [key]: next } });
    if (kind === "flag" || typeof value === "boolean" || typeof setting.default === "boolean") {
      return html`<input type="checkbox" id=${key} aria-describedby="help-${key}" .checked=${live(value === true)}
        @change=${(/** @type {{ target: HTMLInputElement }} */ event) => change(event.target.checked)} />`;
    }
    if (choices) {
      return html`<select class="wm-field" id=${key} aria-describedby="help-${key}"
        @change=${(/** @type {{ target: HTMLSelectElement }} */ event) => change(event.target.value)}>
        ${choices.map((choice) => html`<option value=${choice} ?selected=${choice === value}>${choiceName(key, choice)}</option>`)}
      </select>`;
    }
    return html`<input class="wm-field" id=${key} aria-describedby="help-${key}"
      inputmode=${kind === "count" ? "numeric" : "text"} placeholder=${shownDefault(setting)}
      .value=${live(fieldValue(setting))} @keydown=${keepKeys}
      @change=${(/** @type {{ target: HTMLInputElement }} */ event) => change(readField(setting, event.target.value))} />`;
  }
}

/** A consent can be taken back on a page, and is only given with a plan. @param {Setting} setting */
function certainRow(setting) {
  return html`<div class="setting">
    <span>${settingName(setting)}</span>
    <wm-certain class="value" .certain=${setting.value}></wm-certain>
  </div>`;
}

/** @param {Setting} setting */
function isWritable(setting) {
  return setting.writable && setting.origin !== "environment";
}

/** @param {Setting} setting */
function fieldValue({ kind, value }) {
  if (value === null || value === undefined) return "";
  if (kind === "size" && typeof value === "number") return sizeText(value);
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? Object.entries(value).map(([name, one]) => `${name}: ${one}`).join(", ") : String(value);
}

/**
 * A size as one types it, in powers of 1024 as the settings read them: 20971520 → "20 MiB".
 *
 * @param {number} size
 */
function sizeText(size) {
  const units = ["", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let amount = size;
  while (at < units.length - 1 && amount >= 1024 && amount % 1024 === 0) {
    amount /= 1024;
    at += 1;
  }
  return `${amount} ${units[at]}`.trim();
}

/**
 * What a field's text means; nothing in it means the default.
 *
 * @param {Setting} setting
 * @param {string} text
 */
function readField(setting, text) {
  const clean = text.trim();
  if (clean === "") return null;
  return setting.kind === "count" && /^\d+$/.test(clean) ? Number(clean) : clean;
}

/** @param {Setting} setting */
function shownDefault(setting) {
  if (setting.default === null) return t(setting.kind === "size" ? "settings.unlimited" : "settings.nothing");
  return fieldValue({ ...setting, value: setting.default });
}

/** @param {Setting} setting */
function shownValue(setting) {
  const { value } = setting; // a list, a table, or one thing
  if (typeof value === "boolean") return t(value ? "settings.yes" : "settings.no");
  if (value === null || (typeof value === "object" && !Object.keys(value).length)) return t("settings.nothing");
  return setting.kind === "size" && typeof value === "number" ? formatSize(value) : fieldValue(setting);
}

define("wm-settings", WmSettings);
