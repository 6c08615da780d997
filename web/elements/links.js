// Links to the web: only http and https, in a new tab that knows nothing of this page.

import { webLink } from "../format.js";
import { html, nothing } from "../vendor/lit.js";
import { t } from "../words.js";
import { icon } from "./icons.js";

/** @typedef {string | null | undefined} Address  from outside, not yet judged */

/**
 * A link with its words.
 *
 * @param {Address} address
 * @param {string} words
 * @param {string} [look]
 */
export function webText(address, words, look = "wm-link") {
  const href = webLink(address);
  if (!href) return nothing;
  return html`<a class=${look} href=${href} target="_blank" rel="noopener noreferrer">${words}${icon("external")}</a>`;
}

/**
 * A link to a model's page.
 *
 * @param {Address} page
 * @param {string | null} [hub] its title; without one the page's host stands for it
 */
export function pageText(page, hub) {
  return webText(page, t("item.open-page-at", { hub: hub || hostOf(page) }));
}

/**
 * The same as a button.
 *
 * @param {Address} page
 * @param {string | null} [hub]
 */
export function pageButton(page, hub) {
  return webText(page, t("item.open-page-at", { hub: hub || hostOf(page) }), "wm-button");
}

/**
 * The same as an icon alone.
 *
 * @param {Address} page
 * @param {string} name the file's
 * @param {string | null} [hub]
 */
export function pageIcon(page, name, hub) {
  const href = webLink(page);
  if (!href) return nothing;
  const label = t("item.open-page-of", { name, hub: hub || hostOf(page) });
  return html`<a class="wm-link-icon" href=${href} target="_blank" rel="noopener noreferrer" aria-label=${label}
    title=${label}>${icon("external")}</a>`;
}

/** @param {Address} page */
function hostOf(page) {
  const href = webLink(page);
  return href ? new URL(href).host : "";
}
