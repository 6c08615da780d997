// What the page adds to our nodes: rows for the LoRA stack, chips for trigger words, the pin after a run.
//
// The texts of the nodes stay the truth: an editor writes into them and reads them again when they change, and
// without this module everything is edited as text. Editors come last on a node and are saved nowhere.

import { asOneChange, setValue } from "../edits.js";
import { keepPins } from "./pins.js";
import { parseStack, printStack } from "./stack.js";

/** @import { LiveNode, LiveWidget } from "../graph.js" */

/** @typedef {{ app: any, listNames: (folder: string) => Promise<string[]> }} Parts */

/** @type {Record<string, (parts: Parts, node: any) => void>} */
const DRESSES = {
  ComfyWatchmanLoRAStack: dressStack,
  ComfyWatchmanTriggerWords: dressWords,
};

/**
 * @param {Parts} parts
 * @param {any} node
 */
export function dressNode(parts, node) {
  const kind = node.comfyClass ?? node.type;
  if (!String(kind).startsWith("ComfyWatchman")) return;
  DRESSES[kind]?.(parts, node);
  chain(node, "onExecuted", keepPins(parts.app, node));
}

/** @param {Parts} parts @param {any} node */
function dressStack(parts, node) {
  const text = widgetOf(node, "loras");
  if (!text) return;
  void import("./wm-stack.js");
  const element = /** @type {HTMLElement & { lines: any, names: string[] }} */ (document.createElement("wm-stack"));
  const show = () => void (element.lines = parseStack(String(text.value ?? "")));
  element.addEventListener("wm-lines", (event) => {
    const { lines } = /** @type {CustomEvent} */ (event).detail;
    asOneChange(parts.app, () => setValue(node, text, printStack(lines)));
  });
  element.addEventListener("focusin", () => void parts.listNames("loras").then((names) => (element.names = names)), { once: true });
  addEditor(node, "rows", element, 160);
  follow(node, text, show);
}

/** @param {Parts} parts @param {any} node */
function dressWords(parts, node) {
  const text = widgetOf(node, "off");
  if (!text) return;
  void import("./wm-words.js");
  const element = /** @type {HTMLElement & { words: string[], off: string[] }} */ (document.createElement("wm-words"));
  const show = () => void (element.off = linesOf(text.value));
  element.addEventListener("wm-off", (event) => {
    const { off } = /** @type {CustomEvent} */ (event).detail;
    asOneChange(parts.app, () => setValue(node, text, off.join("\n")));
  });
  addEditor(node, "chips", element, 60);
  follow(node, text, show);
  chain(node, "onExecuted", (output) => {
    const told = output?.comfywatchman?.[0];
    if (Array.isArray(told?.words)) element.words = told.words.map(String);
  });
}

/** @param {any} node @param {string} name @param {HTMLElement} element @param {number} height */
function addEditor(node, name, element, height) {
  const options = { serialize: false, hideOnZoom: false, getMinHeight: () => height };
  const widget = node.addDOMWidget?.(name, "comfywatchman", element, options);
  if (widget) widget.serialize = false; // neither in the prompt nor in the file
}

/**
 * Show again whenever the text changes: by hand, by loading, by undo.
 *
 * @param {any} node
 * @param {LiveWidget} widget
 * @param {() => void} show
 */
function follow(node, widget, show) {
  chain(widget, "callback", show);
  chain(node, "onConfigure", show);
  /** @type {any} */ (widget).element?.addEventListener?.("input", () => queueMicrotask(show));
  show();
}

/** @param {LiveNode} node @param {string} name @returns {LiveWidget | undefined} */
function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

/** @param {unknown} text */
function linesOf(text) {
  return String(text ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
}

/**
 * Also do this when an object's own hook is called.
 *
 * @param {any} owner
 * @param {string} hook
 * @param {(...given: any[]) => void} also
 */
function chain(owner, hook, also) {
  const before = owner[hook];
  owner[hook] = function (/** @type {any[]} */ ...given) {
    const told = before?.apply(this, given);
    also(...given);
    return told;
  };
}
