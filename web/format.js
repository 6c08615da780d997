// Amounts, dates and the words for what a server says, as the command line writes them
// (comfywatchman/cli/tables.py, words.py). Pure.

import { hasWord, t } from "./words.js";

/**
 * Bytes as people read them, in powers of 1000 as drives and hubs count: 6938078334 → "6.94 GB".
 *
 * @param {number | null | undefined} size
 */
export function formatSize(size) {
  if (size === null || size === undefined || !Number.isFinite(size)) return t("unit.unknown");
  let amount = size;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (amount < 999.5) return `${Number(amount.toPrecision(3))} ${unit}`;
    amount /= 1000;
  }
  return `${Number(amount.toPrecision(3))} TB`;
}

/**
 * Many sizes added up, with how many are not known.
 *
 * @param {readonly (number | null)[]} sizes
 */
export function formatTotal(sizes) {
  const unknown = sizes.filter((size) => size === null).length;
  const total = formatSize(sizes.reduce((/** @type {number} */ sum, size) => sum + (size ?? 0), 0));
  if (!unknown) return total;
  return unknown < sizes.length ? t("unit.some-unknown", { size: total, count: unknown }) : t("unit.all-unknown");
}

/** @param {number} speed bytes a second */
export function formatSpeed(speed) {
  return `${formatSize(speed)}/s`;
}

/**
 * A time to wait, as coarse as it is worth: 75 → "2 min".
 *
 * @param {number} seconds
 */
export function formatWait(seconds) {
  const whole = Math.max(1, Math.ceil(seconds));
  if (whole < 60) return t("unit.seconds", { count: whole });
  const minutes = Math.ceil(whole / 60);
  if (minutes < 60) return t("unit.minutes", { count: minutes });
  if (minutes < 48 * 60) return t("unit.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  return t("unit.days", { count: Math.round(minutes / 60 / 24) });
}

/**
 * A day, in the reader's own way of writing it; "" for what is no date. Text is ISO 8601, a number seconds.
 *
 * @param {string | number | null | undefined} moment
 * @param {string} [locale]
 */
export function formatDate(moment, locale) {
  const date = typeof moment === "number" ? new Date(moment * 1000) : new Date(moment ?? Number.NaN);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleDateString(locale, { year: "numeric", month: "short", day: "numeric" });
}

/**
 * A number of downloads or the like: 12345 → "12.3k".
 *
 * @param {number} number
 */
export function formatCount(number) {
  return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(number).toLowerCase();
}

/**
 * How much of a whole is done, as a whole number that only says 100 when all is; null when the whole is not known.
 *
 * @param {number} done
 * @param {number | null | undefined} size
 */
export function percentOf(done, size) {
  if (!size) return null;
  return Math.max(0, Math.min(100, Math.floor((done / size) * 100)));
}

/**
 * The word of a table for something that a server said; what it said where the table has none.
 *
 * @param {"evidence" | "access" | "transfer" | "state" | "verification" | "where" | "setting"} table
 * @param {string | null | undefined} word
 */
export function wordFor(table, word) {
  const key = `${table}.${word}`;
  return hasWord(key) ? t(key) : (word ?? "");
}

/**
 * Who gives a file, for people: its hub, or the host of an address that is no hub's.
 *
 * @param {{ hub_title: string, host: string | null }} candidate
 */
export function giverOf({ hub_title: title, host }) {
  return title || (host ?? "");
}

/**
 * A file name in two pieces: the end tells files apart, so it stays when the beginning is cut off.
 *
 * @param {string} name
 * @returns {[head: string, tail: string]}
 */
export function splitName(name) {
  const letters = [...name];
  if (letters.length <= 24) return [name, ""];
  return [letters.slice(0, -14).join(""), letters.slice(-14).join("")];
}

// "hf:…", "https://…", "v:1", "urn:air:…", and no path of a Windows drive
const LINK = /^[a-z][a-z0-9+.-]*:(?:\/\/|[^\\/])/i;

/**
 * The last part of a path with "/" or "\"; a link has no parts.
 *
 * @param {string} path
 */
export function baseName(path) {
  if (LINK.test(path)) return path;
  return path.split(/[\\/]/).at(-1) ?? path;
}

/**
 * What of a path stands before its last part, with "/"; "" for a name alone and for a link.
 *
 * @param {string} path
 */
export function dirName(path) {
  if (LINK.test(path)) return "";
  return path.split(/[\\/]/).slice(0, -1).join("/");
}

/**
 * A text in which of each long digest only the beginning stands, as many as tell one file from another.
 *
 * @param {string} text
 */
export function shortDigests(text) {
  return text.replace(/\b((?:sha256|blake3|autov3):)?([0-9a-f]{10})[0-9a-f]{54}\b/g, "$1$2…");
}

/**
 * A reason as a sentence: "no digest of it is known" → "No digest of it is known."
 *
 * @param {string} text
 */
export function sentence(text) {
  if (!text) return "";
  return text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}

/**
 * An address that may stand in a link: only http and https, else null.
 *
 * @param {string | null | undefined} text
 */
export function webLink(text) {
  const url = text ? parseUrl(text) : null;
  return url && (url.protocol === "https:" || url.protocol === "http:") ? url.href : null;
}

/**
 * The address of a preview: only one of our own server's is loaded, so no page can be watched through it.
 *
 * @param {string} base what stands before our paths
 * @param {string | null | undefined} path
 */
export function previewLink(base, path) {
  return path && /^\/comfywatchman\/v1\/previews\/[\w.~-]+$/.test(path) ? base + path : null;
}

/** @param {string} text */
function parseUrl(text) {
  try {
    return new URL(text);
  } catch {
    return null; // no absolute address
  }
}

/**
 * What a setting is called; one without a name of its own goes by its key.
 *
 * @param {{ key: string }} setting
 */
export function settingName({ key }) {
  return hasWord(`setting.${key}`) ? wordFor("setting", key) : key.replaceAll("_", " ");
}

/**
 * What one of a setting's values is called.
 *
 * @param {string} key
 * @param {string} value
 */
export function choiceName(key, value) {
  const word = `choice.${key}.${value}`;
  return hasWord(word) ? t(word) : value;
}
