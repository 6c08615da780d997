// ComfyUI's front end as far as we use it, 1.27 to 1.58, behind names of our own. It is handed in, not
// imported, so that the project's host page and tests can hand in another.
//
// What differs between versions is asked of the object at hand (is there such a method?), never of a number.

import { asOneChange, pin, relink } from "./edits.js";
import { locate, markOf, rootOf, workflowOf } from "./graph.js";
import { t } from "./words.js";

/** @import { ModelEntry, Relink } from "./edits.js" */

export const TAB = "comfywatchman";

const TURNS = 8; // of the event loop, about 20 ms

/**
 * @typedef {object} Notice
 * @property {"info" | "success" | "warn" | "error"} severity
 * @property {string} summary
 * @property {string} [detail]
 * @property {number} [life] milliseconds
 * @property {{ label: string, onClick: () => void }} [action] shown where toasts can have one (1.57)
 */

export class FrontEnd {
  #app;

  /** @param {any} app what ComfyUI's `scripts/app.js` exports */
  constructor(app) {
    this.#app = app;
  }

  get #manager() {
    return this.#app.extensionManager;
  }

  /** @param {{ title: string, tooltip: string, render: (place: HTMLElement) => void, destroy?: () => void }} tab */
  addTab(tab) {
    this.#manager.registerSidebarTab({ id: TAB, icon: "pi pi-box", type: "custom", ...tab });
  }

  /** What the user chose in ComfyUI's settings. @param {string} id */
  setting(id) {
    return this.#manager?.setting?.get(id);
  }

  /** The workflow that is open now; null while none is. */
  get workflow() {
    const active = this.#manager?.workflow?.activeWorkflow;
    return active ? { key: String(active.key ?? active.path), name: active.filename ?? null } : null;
  }

  /**
   * Wait until the workflow whose graph was just loaded is the active one: that it is loaded is told before, and in
   * 1.27 to 1.58 all that stands between are promises. One that is loaded again stays the same, so that takes a moment.
   */
  async settle() {
    const before = this.workflow?.key;
    for (let turn = 0; turn < TURNS && this.workflow?.key === before; turn++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /** What of the graph can change the models it needs, as one text. */
  mark() {
    const root = rootOf(this.#app);
    return root ? markOf(root) : null;
  }

  /** The workflow as it would be saved. */
  document() {
    const root = rootOf(this.#app);
    return root ? workflowOf(root) : null;
  }

  /**
   * Point widgets at other names, as one step for undo; how many were changed.
   * @param {Relink[]} changes
   */
  relink(changes) {
    const root = rootOf(this.#app);
    if (!root || !changes.length) return 0;
    return asOneChange(this.#app, () => relink(root, changes));
  }

  /**
   * Write sources into nodes, as one step for undo; how many nodes were changed.
   * @param {{ node_id: string, model: ModelEntry }[]} entries
   */
  pin(entries) {
    const root = rootOf(this.#app);
    if (!root || !entries.length) return 0;
    return asOneChange(this.#app, () => pin(root, entries));
  }

  /** @param {string} id of a node */
  locate(id) {
    return locate(this.#app, id);
  }

  /** Read the lists of files anew, quietly where that is possible; also clears the red marks of what is here. */
  async refreshLists() {
    if (this.#app.refreshMissingModels) await this.#app.refreshMissingModels({ silent: true });
    else await this.#app.refreshComboInNodes?.();
    await this.#redraw();
  }

  /** Judge the red marks again without reading the lists. */
  async refreshMarks() {
    await this.#app.refreshMissingModels?.({ silent: true, reloadDefs: false });
    await this.#redraw();
  }

  /** Nothing else draws the nodes without their red rings, and those go with the next turn of Vue's. */
  async #redraw() {
    await new Promise((resolve) => setTimeout(resolve));
    this.#app.canvas?.setDirty?.(true, true);
  }

  /** @param {Notice} notice */
  notify({ severity, summary, detail = "", life = 8_000, action }) {
    const toast = this.#manager?.toast;
    if (action && typeof toast?.info === "function") toast.info(summary, { description: detail, action, duration: 10_000 });
    else toast?.add({ severity, summary, detail, life });
  }

  /** Say something with a way to our panel. @param {Notice} notice */
  notifyWithWay(notice) {
    this.notify({ ...notice, action: { label: t("host.show"), onClick: () => void this.openPanel() } });
  }

  /**
   * @param {{ title: string, message: string, itemList?: string[], hint?: string }} question
   * @returns {Promise<boolean>}
   */
  async ask(question) {
    return (await this.#manager.dialog.confirm({ type: "default", ...question })) === true;
  }

  /** @param {number} count of missing models; none shows no badge */
  badge(count) {
    const tab = this.#manager?.sidebarTab?.sidebarTabs?.find((/** @type {any} */ one) => one.id === TAB);
    if (tab) tab.iconBadge = count ? String(count) : null;
  }

  get isPanelOpen() {
    const sidebar = this.#manager?.sidebarTab;
    return (sidebar?.activeSidebarTabId ?? sidebar?.active) === TAB;
  }

  async openPanel() {
    if (!this.isPanelOpen) await this.togglePanel();
  }

  async togglePanel() {
    await this.#manager.command.execute(`Workspace.ToggleSidebarTab.${TAB}`);
  }

  /**
   * Put text on the clipboard; false where the browser does not let us.
   * @param {string} text
   */
  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyOldWay(text); // no clipboard on plain http of another machine
    }
  }

  /** Whether the last prompt was refused because a file is not there. */
  wasRefused() {
    const errors = Object.values(this.#app.lastNodeErrors ?? {});
    return errors.some((/** @type {any} */ node) =>
      node?.errors?.some((/** @type {any} */ error) => error?.type === "value_not_in_list"),
    );
  }

  /** Press Run. */
  async run() {
    await this.#manager.command.execute("Comfy.QueuePrompt");
  }
}

/** @param {string} text */
function copyOldWay(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  return isCopied;
}
