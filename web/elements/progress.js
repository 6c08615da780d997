// How far a transfer is: its look, its bar, and what stands under its name.

/** @import { Fault, Transfer, TransferState } from "../types.js" */
/** @import { Icon } from "./icons.js" */

import { dirName, formatDate, formatSize, formatSpeed, formatWait, wordFor } from "../format.js";
import { html, nothing } from "../vendor/lit.js";
import { t } from "../words.js";

/** @type {Record<TransferState, [look: string, sign: Icon]>} */
const LOOKS = {
  queued: ["wm-muted", "down"],
  running: ["wm-info", "download"],
  paused: ["wm-warn", "pause"],
  verified: ["wm-good", "check"],
  failed: ["wm-bad", "warn"],
  cancelled: ["wm-muted", "close"],
  skipped: ["wm-muted", "here"],
};

/** @param {Transfer} one */
export function lookOf(one) {
  return LOOKS[one.state] ?? LOOKS.queued;
}

/**
 * A bar that says to eyes and to screen readers how far something is.
 *
 * @param {number | null} percent null where the whole is not known
 * @param {string} label
 * @param {string} text
 */
export function bar(percent, label, text) {
  return html`<div class="wm-bar ${percent === null ? "unknown" : ""}" role="progressbar" aria-label=${label}
    aria-valuemin="0" aria-valuemax="100" aria-valuenow=${percent ?? nothing} aria-valuetext=${text}>
    <div style="width: ${percent ?? 30}%"></div></div>`;
}

/** @param {Transfer} one */
export function progressText(one) {
  return one.size === null
    ? t("transfers.done-of-unknown", { done: formatSize(one.done) })
    : t("transfers.of", { done: formatSize(one.done), size: formatSize(one.size) });
}

/**
 * What stands under a transfer's name.
 *
 * @param {Transfer} one
 * @returns {{ text: string, look?: string }[]}
 */
export function factsOf(one) {
  const [look] = lookOf(one);
  const state = { text: wordFor("transfer", one.state), look };
  const folder = { text: [one.folder, dirName(one.path)].filter(Boolean).join("/") };
  switch (one.state) {
    case "running":
      return [state, { text: progressText(one) }, ...speedFacts(one), ...(one.note ? [{ text: one.note }] : [])];
    case "queued":
    case "paused":
      return [state, folder, { text: progressText(one) }, ...(one.note ? [{ text: one.note }] : [])];
    case "verified":
      return [
        state,
        { text: wordFor("verification", one.verification) },
        folder,
        { text: formatSize(one.size) },
        { text: formatDate(one.changed) },
      ].filter(({ text }) => text);
    default:
      return [state, folder, ...(one.note ? [{ text: one.note }] : [])];
  }
}

/** @param {Transfer} one */
function speedFacts(one) {
  const left = one.eta === null ? [] : [{ text: t("transfers.left", { eta: formatWait(one.eta) }) }];
  return one.speed > 0 ? [{ text: formatSpeed(one.speed) }, ...left] : left;
}

/** What to do about a fault; the server's words are for the command line where a token is wanted. @param {Fault} fault */
export function faultHint({ code, hint }) {
  return code === "login-required" ? t("transfers.token") : hint;
}
