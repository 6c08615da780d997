// The pins of a node: which releases a workflow was made with. A run tells the text that belongs into `pinned` now, and
// it is written there, so that the same files are used when the workflow is opened again.
//
// ComfyUI runs a node again when an input changes, and the pin is one. Where the node's inputs leave no doubt anyway,
// runs go on sending what was sent before the pin was written, until the workflow is loaded anew or names another
// model. What is saved or exported has the pin; front ends 1.26 to 1.58 call `beforeQueued` for runs only.

import { asOneChange, setValue } from "../edits.js";
import { MODEL_FILE } from "../graph.js";
import { parseStack } from "./stack.js";

/** @import { LiveNode, LiveWidget } from "../graph.js" */

/**
 * @typedef {LiveWidget & {
 *   serializeValue?: (...given: any[]) => unknown,
 *   beforeQueued?: (...given: any[]) => unknown,
 * }} PinWidget
 */

/** The inputs that say which model is meant; a source wins over a name. */
const NAMES = ["ckpt_name", "lora_name"];
const NAMING = [...NAMES, "source", "loras"];
const NOT_RUN = new Set([2, 4]); // muted, bypassed

/** What can only be a link, an id or an AIR, as comfywatchman/air.py reads them. */
const LINK = /^(\d+$|v:|hf:|(urn:)?air:|\w+:\/\/|(www\.)?(civitai\.\w+|huggingface\.co|hf\.co)\/)/i;
/** Links that name one release for ever: a version, a commit. */
const RELEASES = [
  /^v:\d+$/i,
  /^(urn:)?air:\S+@(\d+|[0-9a-f]{40})(\+\d+)?(\.\w+)?$/i,
  /^hf:[^@\s]+@[0-9a-f]{40}\//i,
  /[?&]modelVersionId=\d/i,
  /\/(api\/download\/models|model-versions)\/\d/i,
  /\/(resolve|blob|raw)\/[0-9a-f]{40}\//i,
];

/**
 * Keep a node's pins; gives what is to be told when the node has run.
 *
 * @param {any} app
 * @param {any} node
 * @returns {(output: any) => void}
 */
export function keepPins(app, node) {
  const widget = /** @type {PinWidget | undefined} */ (widgetOf(node, "pinned"));
  if (!widget) return () => {};
  /** @type {{ written: string, sent: unknown, mark: string } | null} */
  let held = null;
  let isRun = false;
  const { beforeQueued, serializeValue } = widget;
  const isHeld = () => held !== null && widget.value === held.written && markOf(node) === held.mark;
  widget.beforeQueued = function (...given) {
    isRun = !NOT_RUN.has(node.mode);
    return beforeQueued?.apply(this, given);
  };
  widget.serializeValue = function (...given) {
    const sendsHeld = isRun && isHeld();
    isRun = false;
    if (sendsHeld) return held?.sent;
    return serializeValue ? serializeValue.apply(this, given) : widget.value;
  };
  return (output) => {
    const written = output?.comfywatchman_pinned?.[0];
    if (typeof written !== "string" || written === widget.value) return;
    const sent = isHeld() ? held?.sent : widget.value;
    held = isFixed(node) ? { written, sent, mark: markOf(node) } : null;
    asOneChange(app, () => setValue(node, widget, written));
  };
}

/**
 * Whether a node's inputs leave no doubt which release is meant, so that its pin changes nothing today: files
 * by their names here, versions, commits.
 *
 * @param {LiveNode} node
 */
export function isFixed(node) {
  const stack = widgetOf(node, "loras");
  if (stack) return parseStack(String(stack.value ?? "")).every(({ row }) => !row?.on || isRelease(row.name));
  const source = textOf(node, "source");
  return isRelease(source || (NAMES.map((name) => textOf(node, name)).find(Boolean) ?? ""));
}

/** @param {string} thing */
function isRelease(thing) {
  const text = thing.trim();
  return LINK.test(text) ? RELEASES.some((form) => form.test(text)) : MODEL_FILE.test(text);
}

/** What the node's model inputs say. @param {any} node */
function markOf(node) {
  return JSON.stringify(NAMING.map((name) => widgetOf(node, name)?.value));
}

/** @param {LiveNode} node @param {string} name */
function textOf(node, name) {
  const text = String(widgetOf(node, name)?.value ?? "").trim();
  return /^none$/i.test(text) ? "" : text;
}

/** @param {LiveNode} node @param {string} name */
function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}
