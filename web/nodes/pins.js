// The pins of a node: which releases a workflow was made with. A run tells the text that belongs into `pinned` now, and
// it is written there, so that the same files are used when the workflow is opened again.
//
// ComfyUI runs a node again when an input changes, and the pin is one: what is saved (the widget's value) is the pin,
// but what is sent stays what was sent, until the workflow is loaded anew or names another model.

import { asOneChange, setValue } from "../graph.js";

/** @import { LiveNode, LiveWidget } from "../graph.js" */

/** The inputs that say which model is meant. */
const NAMING = ["ckpt_name", "lora_name", "source", "loras"];

/**
 * Keep a node's pins; gives what is to be told when the node has run.
 *
 * @param {any} app
 * @param {any} node
 * @returns {(output: any) => void}
 */
export function keepPins(app, node) {
  const widget = widgetOf(node, "pinned");
  if (!widget) return () => {};
  /** @type {{ written: string, sent: unknown, mark: string } | null} */
  let held = null;
  const send = widget.serializeValue;
  const isHeld = () => held !== null && widget.value === held.written && markOf(node) === held.mark;
  widget.serializeValue = function (...given) {
    if (held && isHeld()) return held.sent;
    held = null;
    return send ? send.apply(this, given) : widget.value;
  };
  return (output) => {
    const written = output?.comfywatchman_pinned?.[0];
    if (typeof written !== "string" || written === widget.value) return;
    held = { written, sent: isHeld() ? held?.sent : widget.value, mark: markOf(node) };
    asOneChange(app, () => setValue(node, widget, written));
  };
}

/** What the node's model inputs say. @param {any} node */
function markOf(node) {
  return JSON.stringify(NAMING.map((name) => widgetOf(node, name)?.value));
}

/**
 * @param {LiveNode} node
 * @param {string} name
 * @returns {(LiveWidget & { serializeValue?: (...given: any[]) => unknown }) | undefined}
 */
function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}
