// The pins of a node: which releases a workflow was made with. A run tells them, and they are written into `pinned`,
// one a line, so that the same files are used when the workflow is opened again.
//
// ComfyUI runs a node again when an input changes, and the pin is one: what is saved (the widget's value) is the pin,
// but what is sent stays what was sent, until the workflow is loaded anew or names another model.

import { asOneChange, setValue } from "../graph.js";
import { baseName } from "../format.js";
import { parseStack } from "./stack.js";

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
    const told = Array.isArray(output?.comfywatchman) ? output.comfywatchman : [];
    const before = String(widget.value ?? "");
    const written = nextPins(before, told, idleNames(node));
    if (!told.length || written === before) return;
    held = { written, sent: isHeld() ? held?.sent : widget.value, mark: markOf(node) };
    asOneChange(app, () => setValue(node, widget, written));
  };
}

/**
 * The pins after a run: those it told, and of the others the ones that rows switched off still name.
 *
 * @param {string} text the pins before
 * @param {{ pinned?: unknown }[]} told of each model that was used
 * @param {string[]} idle names that the node holds but did not use
 */
export function nextPins(text, told, idle) {
  const used = told.map((one) => one?.pinned).filter((pin) => typeof pin === "string" && pin !== "");
  const kept = text.split("\n").map((line) => line.trim()).filter((line) => idle.some((name) => isAbout(line, name)));
  return [...new Set([...used, ...kept])].join("\n");
}

/**
 * Whether a pin is about what a row names: a file by its base name, or a release by the ids in its address.
 *
 * @param {string} pin
 * @param {string} name
 */
function isAbout(pin, name) {
  const [, address = "", file] = /** @type {string[]} */ (/^((?:civitai|hf):\S+ )?(?:\w+:[0-9a-f]+ )?(.*)$/s.exec(pin));
  if (file !== "" && fold(baseName(name)) === fold(file)) return true;
  if (address.startsWith("hf:")) return name.includes(address.slice(3).split("@")[0].trim());
  const ids = new Set(address.match(/\d+/g));
  return (name.match(/\d+/g) ?? []).some((id) => ids.has(id));
}

/** @param {string} name */
const fold = (name) => name.normalize("NFC").toLowerCase();

/** The names in rows that are switched off. @param {any} node */
function idleNames(node) {
  const lines = parseStack(String(widgetOf(node, "loras")?.value ?? ""));
  return lines.flatMap(({ row }) => (row && !row.on ? [row.name] : []));
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
