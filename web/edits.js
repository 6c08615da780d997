/**
 * What we change in the live graph: names in widgets (relinks) and sources in `properties.models` (pins).
 */

import { findNode, holdersOf } from "./graph.js";
import { renameRows } from "./nodes/stack.js";

/** @import { LiveGraph, LiveNode, LiveWidget } from "./graph.js" */

const STACK = "ComfyWatchmanLoRAStack";

/**
 * @typedef {object} ModelEntry an entry of `properties.models`, as the front end reads it
 * @property {string} name
 * @property {string} [url]
 * @property {string} [directory]
 * @property {string} [hash]
 * @property {string} [hash_type]
 *
 * @typedef {object} Relink what a widget says now, and what it shall say
 * @property {string} node_id
 * @property {string} input
 * @property {string} from
 * @property {string} to
 */

/**
 * Point widgets at other names; returns how many were changed. Only what still says `from` is touched.
 * Call it inside `asOneChange`.
 * @param {LiveGraph} root
 * @param {Iterable<Relink>} changes
 * @returns {number}
 */
export function relink(root, changes) {
  let changed = 0;
  for (const { node_id: id, input, from, to } of changes) {
    const place = findNode(root, id);
    if (!place) continue;
    const rename = place.node.type === STACK ? renameRows : replaceName;
    for (const { node, widget } of holdersOf(place, input)) {
      const value = rename(/** @type {any} */ (widget.value), from, spell(widget, to));
      if (value === widget.value) continue;
      setValue(node, widget, value);
      changed += 1;
    }
  }
  return changed;
}

/**
 * Set a widget as if a person had.
 * @param {LiveNode} node
 * @param {LiveWidget} widget
 * @param {unknown} value
 */
export function setValue(node, widget, value) {
  const old = widget.value;
  widget.value = value;
  widget.callback?.(value, undefined, node);
  node.onWidgetChanged?.(widget.name, value, old, widget);
  node.setDirtyCanvas?.(true, true);
}

/**
 * Write sources into the nodes' `properties.models`; returns how many nodes were changed. What others
 * wrote stays; the entry for the same name and directory is brought up to date.
 * @param {LiveGraph} root
 * @param {Iterable<{node_id: string, model: ModelEntry}>} entries
 * @returns {number}
 */
export function pin(root, entries) {
  let changed = 0;
  for (const { node_id: id, model } of entries) {
    const node = findNode(root, id)?.node;
    if (!node) continue;
    node.properties ??= {};
    const before = Array.isArray(node.properties.models) ? node.properties.models : [];
    const models = mergeModel(before, model);
    if (JSON.stringify(models) === JSON.stringify(before)) continue;
    node.properties.models = models;
    node.setDirtyCanvas?.(true, true);
    changed += 1;
  }
  return changed;
}

/**
 * @param {ModelEntry[]} entries
 * @param {ModelEntry} model
 * @returns {ModelEntry[]}
 */
export function mergeModel(entries, model) {
  /** @param {ModelEntry} entry */
  const isSame = (entry) =>
    entry?.name === model.name && (!entry.directory || entry.directory === model.directory);
  const at = entries.findIndex(isSame);
  if (at < 0) return [...entries, model];
  return entries.map((entry, index) => (index === at ? { ...entry, ...model } : entry));
}

/**
 * One step for undo, in every front end: its change tracker counts these two events of the canvas.
 * @template T
 * @param {{canvas?: {emitBeforeChange?: () => void, emitAfterChange?: () => void}}} app
 * @param {() => T} change
 * @returns {T}
 */
export function asOneChange(app, change) {
  app.canvas?.emitBeforeChange?.();
  try {
    return change();
  } finally {
    app.canvas?.emitAfterChange?.();
  }
}

/** A name with one kind of slash. @param {string} name */
const plain = (name) => name.replaceAll("\\", "/");

/**
 * A value with one name replaced, also inside the objects that some loaders keep in a widget.
 * @param {unknown} value @param {string} from @param {string} to @returns {unknown}
 */
function replaceName(value, from, to) {
  if (typeof value === "string") return plain(value) === plain(from) ? to : value;
  if (typeof value !== "object" || value === null) return value;
  /** @type {[string, unknown][]} */
  const entries = Object.entries(value).map(([key, inner]) => [key, replaceName(inner, from, to)]);
  if (entries.every(([key, inner]) => inner === /** @type {any} */ (value)[key])) return value;
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries);
}

/** The name as the widget's own list spells it (Windows lists have backslashes). @param {LiveWidget} widget @param {string} name */
function spell(widget, name) {
  const values = widget.options?.values;
  const list = Array.isArray(values) ? values : [];
  return list.find((entry) => typeof entry === "string" && plain(entry) === plain(name)) ?? name;
}
