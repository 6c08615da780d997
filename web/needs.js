// What a workflow lacks, and what files that came mean for its widgets. Pure.

import { fileOf, itemsOf } from "./selection.js";

/**
 * @import { Relink } from "./edits.js"
 * @import { FetchBody, Item, Reference, Transfer, View } from "./types.js"
 */

const UNDERWAY = new Set(["queued", "running", "paused"]);
const HERE = new Set(["verified", "skipped"]);

/** The files that are missing, sorted. @param {View | null | undefined} view */
export function needsOf(view) {
  return view ? missingItems(view).map(fileOf).sort() : [];
}

/** What the inspection says is not here, whatever a plan has found for it. @param {View} view */
export function missingItems(view) {
  return itemsOf({ ...view, plan: null }).filter((item) => item.state !== "present");
}

/** How many models are missing, as the badge says it; where nothing was looked at, as the plan does. @param {View | null} view */
export function countMissing(view) {
  if (view?.inspection) return missingItems(view).length;
  return view ? itemsOf(view).filter((item) => item.state !== "present").length : 0;
}

/**
 * The files that a run would lack: our own nodes bring what they know the source of themselves.
 * @param {View | null | undefined} view
 */
export function lacksOf(view) {
  const lacking = new Set((view?.inspection?.references ?? []).filter((one) => !bringsItself(one)).map(fileOf));
  return needsOf(view).filter((file) => lacking.has(file));
}

/** @param {Reference} reference */
function bringsItself({ node_type, url }) {
  return node_type.startsWith("ComfyWatchman") && Boolean(url);
}

/** Whether a transfer has not ended. @param {Transfer} transfer */
export function isUnderway({ state }) {
  return UNDERWAY.has(state);
}

/** Whether a transfer's file is here. @param {Transfer} transfer */
export function hasArrived({ state }) {
  return HERE.has(state);
}

/** A body that takes the offered candidate of each item. @param {Item[]} items @returns {FetchBody} */
export function selected(items) {
  const choices = items.map((item) => [item.key, { candidate: item.chosen ?? 0, agreed: true, root: null }]);
  return { consent: "selected", items: Object.fromEntries(choices) };
}

/** What a file that is here means for the widgets that named it. @param {Transfer} transfer @returns {Relink[]} */
export function relinksOf({ relink: to, references }) {
  return references.flatMap(({ node_id, input, name, linked }) =>
    to === null || linked ? [] : [{ node_id, input, from: name, to }], // the name may be ours for one with backslashes
  );
}
