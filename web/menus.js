// What a right-click on a node offers, and the commands with their keys.

import { idOf, modelWidgets, rootOf } from "./graph.js";
import { t } from "./words.js";

/**
 * @import { Flow } from "./flow.js"
 * @import { FrontEnd } from "./frontend.js"
 * @import { LiveNode } from "./graph.js"
 */

/**
 * @typedef {{ content: string, callback: () => unknown } | null} MenuItem null draws a line
 * @typedef {{ app: any, flow: Flow, front: FrontEnd }} Parts
 */

/**
 * The entries for a node that names model files; none for others.
 * @param {Parts} parts
 * @param {LiveNode} node
 * @returns {MenuItem[]}
 */
export function nodeMenu({ app, flow }, node) {
  if (!modelWidgets(node).length) return [];
  const root = rootOf(app);
  const id = root && idOf(root, node);
  if (id === null) return [];
  return [
    null,
    { content: t("menu.find"), callback: () => flow.showMissing() },
    { content: t("menu.pin"), callback: () => flow.sources.pinFor(id) },
    { content: t("menu.words"), callback: () => flow.sources.copyWordsOf(id) },
  ];
}

/**
 * Older front ends (before 1.33) have no `getNodeMenuItems`: there the node's own hook is chained.
 * @param {Parts} parts
 * @param {any} node
 */
export function addOldMenu(parts, node) {
  if (typeof parts.app.collectNodeMenuItems === "function") return;
  const before = node.getExtraMenuOptions;
  node.getExtraMenuOptions = function (/** @type {unknown} */ canvas, /** @type {MenuItem[]} */ options) {
    const told = before?.call(this, canvas, options);
    options.push(...nodeMenu(parts, node));
    return told;
  };
}

/** @param {{ flow: Flow, front: FrontEnd }} parts */
export function makeCommands({ flow, front }) {
  return [
    { id: "Comfywatchman.ShowPanel", label: t("command.panel"), icon: "pi pi-box", function: () => front.togglePanel() },
    { id: "Comfywatchman.FindMissing", label: t("command.find"), icon: "pi pi-search", function: () => flow.showMissing() },
    { id: "Comfywatchman.FetchAndRun", label: t("command.run"), icon: "pi pi-cloud-download", function: () => flow.runs.fetchAndRun() },
    { id: "Comfywatchman.PinSources", label: t("command.pin"), icon: "pi pi-bookmark", function: () => flow.sources.pinAll() },
  ];
}

/** A key that neither ComfyUI (single letters, Alt+C, Alt+M, Ctrl+Shift+E …) nor browsers take. */
export const KEYS = [{ combo: { key: "l", ctrl: true, shift: true }, commandId: "Comfywatchman.ShowPanel" }];
