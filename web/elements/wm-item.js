// One file that the workflow needs: <wm-item .item .choice .transfer .status .notes .base>.
// With `.brief` it leaves out why the file is missing: the list has said it.
// Wishes: `wm-locate` { key, id, input }, `wm-agree` { key, agreed }, `wm-choose` { key, candidate },
// `wm-root` { key, root }, `wm-relink` { keys }, and those of <wm-tokens>.

/** @import { Candidate, Choice, Item, Status, TokenNote, Transfer } from "../types.js" */
/** @import { Icon } from "./icons.js" */

import { dirName, formatSize, percentOf, sentence, wordFor } from "../format.js";
import { candidateOf, consentKind, isTaken, rootsFor } from "../selection.js";
import { html, live, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { WmElement, define, fileName } from "./base.js";
import { icon } from "./icons.js";
import { pageButton, pageIcon } from "./links.js";
import { bar, progressText } from "./progress.js";
import { titleOf } from "./wm-choices.js";
import "./wm-consent.js";
import "./wm-tokens.js";
import { style } from "./wm-item.css.js";

/** @type {Record<Item["state"], [look: string, sign: Icon]>} */
const LOOKS = {
  present: ["wm-info", "here"],
  certain: ["wm-good", "check"],
  confirm: ["wm-warn", "question"],
  choose: ["wm-warn", "question"],
  locked: ["wm-warn", "lock"],
  refused: ["wm-bad", "stop"],
  missing: ["wm-bad", "missing"],
  asking: ["wm-muted", "turn"],
};

const NODES_SHOWN = 3;

export class WmItem extends WmElement {
  static properties = {
    item: { attribute: false },
    choice: { attribute: false },
    transfer: { attribute: false },
    status: { attribute: false },
    notes: { attribute: false },
    base: { attribute: false },
    brief: { attribute: false },
    unfolded: { state: true },
  };

  static styles = [WmElement.styles, style];

  constructor() {
    super();
    /** @type {Item | null} */
    this.item = null;
    /** @type {Choice | undefined} */
    this.choice = undefined;
    /** @type {Transfer | null} */
    this.transfer = null;
    /** @type {Status | null} */
    this.status = null;
    /** @type {Record<string, TokenNote>} */
    this.notes = {};
    this.base = "";
    this.brief = false;
    /** @type {"choices" | "token" | null} */
    this.unfolded = null;
  }

  render() {
    const item = this.item;
    if (!item) return nothing;
    const candidate = candidateOf(item, this.choice);
    return html`<div class="item" role="group" aria-label=${item.name}>
      <div class="mark">${this.#mark(item, candidate)}</div>
      <div class="body">
        <div class="first">
          ${fileName(item.name)}
          <span class="size wm-small wm-muted">${candidate?.size ? formatSize(candidate.size) : nothing}</span>
          ${item.state === "locked" ? nothing : pageIcon(candidate?.page, item.name, candidate?.hub_title)}
        </div>
        <div class="facts">${this.#folder(item, candidate)}${this.#nodes(item)}</div>
        ${this.transfer ? underwayPart(this.transfer) : this.brief ? nothing : this.#below(item, candidate)}
      </div>
      ${this.unfolded && !this.transfer ? this.#unfold(item, candidate, this.unfolded) : nothing}
    </div>`;
  }

  /**
   * @param {Item} item
   * @param {Candidate | null} candidate
   */
  #mark(item, candidate) {
    const [look, sign] = LOOKS[item.state] ?? LOOKS.missing;
    if (this.transfer) return html`<span class="wm-info">${icon("download")}</span>`;
    const tickable = ["certain", "confirm", "choose"].includes(item.state) && consentKind(candidate) === "row";
    if (!tickable) return html`<span class=${look}>${icon(sign)}</span>`;
    const onChange = (/** @type {{ target: HTMLInputElement }} */ event) =>
      this.emit("wm-agree", { key: item.key, agreed: event.target.checked });
    return html`<input type="checkbox" class="main" aria-label=${t("item.take", { name: item.name })}
      .checked=${live(isTaken(item, this.choice))} @change=${onChange} />`;
  }

  /**
   * The item's folder; where several roots serve it, the one to choose.
   *
   * @param {Item} item
   * @param {Candidate | null} candidate
   */
  #folder(item, candidate) {
    const roots = consentKind(candidate) && !this.transfer ? rootsFor(this.status, item.folder) : [];
    const sub = dirName(item.name);
    const place = sub ? `${item.folder}/${sub}` : item.folder;
    if (roots.length < 2) return html`<span class="place" title=${place}>${place}</span>`;
    const chosen = this.choice?.root ?? item.target?.root;
    const onChange = (/** @type {{ target: HTMLSelectElement }} */ event) =>
      this.emit("wm-root", { key: item.key, root: event.target.value });
    return html`<select aria-label=${t("item.into", { name: item.name })} title=${t("item.folder")} @change=${onChange}>
      ${roots.map((root) => html`<option value=${root.id} ?selected=${root.id === chosen}>${root.label}</option>`)}
    </select>${sub ? html`<span class="place">${sub}</span>` : nothing}`;
  }

  /** @param {Item} item */
  #nodes(item) {
    const rest = item.nodes.length - NODES_SHOWN;
    return html`${item.nodes.slice(0, NODES_SHOWN).map((node) => {
      const title = `${node.title || node.type} #${node.id}`;
      const locate = () => this.emit("wm-locate", { key: item.key, id: node.id, input: node.input });
      return html`<button class="node wm-line" title=${t("item.locate", { title })} @click=${locate}>${title}</button>`;
    })}${rest > 0 ? html`<span>${t("item.more-nodes", { count: rest })}</span>` : nothing}`;
  }

  /**
   * @param {Item} item
   * @param {Candidate | null} candidate
   */
  #below(item, candidate) {
    return html`
      <div class="source">${this.#chip(item)}${this.#source(item, candidate)}</div>
      ${this.#explain(item, candidate)}
      ${candidate && consentKind(candidate) === "word" && item.state !== "locked"
        ? html`<wm-consent class="main" .item=${item} .candidate=${candidate}
            .agreed=${this.choice?.agreed ?? false}></wm-consent>`
        : nothing}
      ${this.#actions(item)}`;
  }

  /**
   * @param {Item} item
   * @param {Candidate | null} candidate
   * @param {"choices" | "token"} what
   */
  #unfold(item, candidate, what) {
    return html`<div class="unfold" @keydown=${this.#onEscape}>${
      what === "choices"
        ? html`<wm-choices .item=${item} .base=${this.base} .chosen=${candidate?.index ?? null}></wm-choices>`
        : html`<wm-tokens .hubs=${this.status?.hubs ?? []} .notes=${this.notes}
            .only=${lockedOne(item)?.hub ?? null}></wm-tokens>`
    }</div>`;
  }

  /** The mark of what the user has chosen; everything else the heading says. @param {Item} item */
  #chip(item) {
    const isChosen = item.state === "choose" && this.choice?.candidate !== undefined;
    return isChosen ? html`<span class="wm-chip wm-info">${t("state.chosen")}</span>` : nothing;
  }

  /**
   * @param {Item} item
   * @param {Candidate | null} candidate
   */
  #source(item, candidate) {
    if (item.relink) return html`<span class="wm-muted">${t("item.relink-to", { name: item.relink })}</span>`;
    if (!candidate) return nothing;
    const source = [candidate.hub_title || candidate.host, wordFor("evidence", candidate.evidence)];
    const sure = source.filter(Boolean).join(" · ");
    const title = candidate.model_name ? titleOf(candidate) : "";
    return html`<span class="wm-line" title=${[sure, title].filter(Boolean).join(" · ")}>${sure}
      <span class="wm-muted">${title}</span></span>`;
  }

  /**
   * @param {Item} item
   * @param {Candidate | null} candidate
   */
  #explain(item, candidate) {
    const text = this.#explanation(item, candidate);
    return text ? html`<p class="reason wm-small wm-muted">${text}</p>` : nothing;
  }

  /**
   * @param {Item} item
   * @param {Candidate | null} candidate
   */
  #explanation(item, candidate) {
    if (item.state === "locked") return lockedText(item, this.status);
    if (item.state === "missing") return item.reason ? `${sentence(item.reason)} ${t("item.help", { folder: item.folder })}` : t("item.not-searched");
    if (item.state === "refused") return item.reason;
    const plain = item.state === "confirm" || (item.state === "choose" && this.choice?.candidate !== undefined);
    return plain && consentKind(candidate) === "row" ? candidate?.reason : "";
  }

  /** @param {Item} item */
  #actions(item) {
    const one = lockedOne(item);
    const page = item.state === "locked" ? pageButton(one?.page, one?.hub_title) : nothing;
    const token = this.#tokenButton(item);
    const keys = one?.access === "login" ? [token, page] : [page, token]; // access is had on the page, a token proves it
    const buttons = [this.#chooseButton(item), ...keys, this.#relinkButton(item)].filter((button) => button !== nothing);
    return buttons.length ? html`<div class="actions">${buttons}</div>` : nothing;
  }

  /** @param {Item} item */
  #chooseButton(item) {
    const count = item.candidates.length;
    if (item.state !== "choose" && (count < 2 || !["certain", "confirm"].includes(item.state))) return nothing;
    const open = this.unfolded === "choices";
    return html`<button class="wm-button ${this.choice?.candidate === undefined ? "main" : ""}" data-fold="choices"
      aria-expanded=${open} @click=${() => this.#fold("choices")}>
      ${open ? t("item.close") : item.state === "choose" ? t("item.choose", { count }) : t("item.change")}
      ${open ? nothing : icon("down")}</button>`;
  }

  /** @param {Item} item */
  #tokenButton(item) {
    const hub = this.status?.hubs.find((known) => known.name === lockedOne(item)?.hub);
    const isWanted = hub && (!hub.has_token || lockedOne(item)?.access === "login"); // one that is set was refused
    if (item.state !== "locked" || !isWanted) return nothing;
    return html`<button class="wm-button main" data-fold="token" aria-expanded=${this.unfolded === "token"}
      @click=${() => this.#fold("token")}>${t(hub.has_token ? "item.replace-token" : "item.set-token", { hub: hub.title })}</button>`;
  }

  /** @param {Item} item */
  #relinkButton(item) {
    if (!item.relink) return nothing;
    return html`<button class="wm-button main" @click=${() => this.emit("wm-relink", { keys: [item.key] })}>
      ${icon("link")}${t("item.relink")}</button>`;
  }

  /** @param {"choices" | "token"} what */
  #fold(what) {
    this.unfolded = this.unfolded === what ? null : what;
  }

  /** @param {KeyboardEvent} event */
  #onEscape(event) {
    if (event.key !== "Escape" || !this.unfolded) return;
    event.stopPropagation();
    const fold = this.unfolded;
    this.unfolded = null;
    void this.focusOn(`[data-fold="${fold}"]`);
  }

  /** Put the focus on the control that matters most. */
  focus() {
    void this.focusOn(".main, button");
  }
}

/**
 * The candidate that is locked: the plan's, else the first.
 *
 * @param {Item} item
 */
function lockedOne(item) {
  return candidateOf(item, undefined) ?? item.candidates[0] ?? null;
}

/**
 * What opens a locked file.
 *
 * @param {Item} item
 * @param {Status | null} status
 */
function lockedText(item, status) {
  const candidate = lockedOne(item);
  const hub = status?.hubs.find((known) => known.name === candidate?.hub);
  switch (candidate?.access) {
    case "login":
      return t(hub?.has_token ? "locked.login.token" : "locked.login", { hub: candidate.hub_title });
    case "gated":
      return hub?.has_token ? t("locked.gated.token") : t("locked.gated", { hub: candidate.hub_title });
    case "early":
      return hub?.has_token ? t("locked.early.token") : t("locked.early", { hub: candidate.hub_title });
    case "withdrawn":
      return t("locked.withdrawn");
    default:
      return item.reason;
  }
}

/** @param {Transfer} transfer */
function underwayPart(transfer) {
  const { done, size, state, name } = transfer;
  const percent = percentOf(done, size);
  const text = percent === null ? progressText(transfer) : t("item.progress", { percent, size: formatSize(size) });
  return html`${bar(percent, name, text)}
    <div class="facts"><span>${wordFor("transfer", state)}</span><span>${text}</span></div>`;
}

define("wm-item", WmItem);
