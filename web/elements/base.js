// What all elements share: the theme, a way to say a wish, and pieces of template.

/** @import { CSSResultGroup } from "../vendor/lit.js" */
/** @import { Icon } from "./icons.js" */

import { theme } from "../theme.js";
import { baseName, shortDigests, splitName } from "../format.js";
import { LitElement, html, nothing } from "../vendor/lit.js";
import { icon } from "./icons.js";

/** An element whose data comes down as properties and whose wishes go up as `wm-…` events. */
export class WmElement extends LitElement {
  /** @type {CSSResultGroup} */
  static styles = theme;

  /**
   * Say a wish; whoever listens above carries it out.
   *
   * @param {string} name
   * @param {unknown} [detail]
   */
  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /**
   * Put the focus on what a selector finds, once the element has been drawn.
   *
   * @param {string} selector
   */
  async focusOn(selector) {
    await this.updateComplete;
    const found = this.renderRoot.querySelector(selector);
    if (found instanceof HTMLElement) found.focus();
  }
}

/**
 * Define an element once; a page that loads a module under two addresses keeps the first.
 *
 * @param {string} name
 * @param {CustomElementConstructor} element
 */
export function define(name, element) {
  if (!customElements.get(name)) customElements.define(name, element);
}

/**
 * A file's name that gives way in its middle, whole in its tooltip.
 *
 * @param {string} name
 */
export function fileName(name) {
  const [head, tail] = splitName(baseName(name));
  return html`<span class="wm-name" title=${name}><span>${breakable(head)}</span><span>${breakable(tail)}</span></span>`;
}

/**
 * A name that may go on below after each of its separators, where there is room for lines.
 *
 * @param {string} text
 */
function breakable(text) {
  return text.split(/(?<=[-_.])(?=[^-_.])/).map((part, at) => (at ? html`<wbr />${part}` : part));
}

/**
 * Keep a key that means something in a field from being a shortcut of the page.
 *
 * @param {KeyboardEvent} event
 */
export function keepKeys(event) {
  if (!event.ctrlKey && !event.metaKey && event.key !== "Escape") event.stopPropagation();
}

/**
 * What stands where there is nothing to list.
 *
 * @param {Icon} sign
 * @param {string} text
 */
export function empty(sign, text) {
  return html`<div class="wm-empty">${icon(sign)}<p>${text}</p></div>`;
}

/**
 * A remark in a box, with what to do about it on a line of its own. Of digests their beginnings are shown.
 *
 * @param {string} look
 * @param {Icon} sign
 * @param {string} text
 * @param {string | null} [hint]
 */
export function note(look, sign, text, hint) {
  const short = shortDigests(text);
  return html`<div class="wm-note ${look}">${icon(sign)}<span title=${short === text ? nothing : text}>${short}${hint ? html`<br />${hint}` : nothing}</span></div>`;
}
