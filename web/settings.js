// Our rows in ComfyUI's settings dialog. What concerns the server stays on the server: ComfyUI keeps its own
// settings in a plain file that every pack can read. Only what this page does by itself is kept there.

import { offerBridge, withdrawBridge } from "./bridge.js";
import { NOTICES } from "./flow.js";
import { tokenNotes } from "./tokens.js";
import { t } from "./words.js";

/**
 * @import { NamedFetches } from "./bridge.js"
 * @import { Store } from "./store.js"
 * @import { Wiring } from "./wiring.js"
 *
 * @typedef {{ named: NamedFetches, store: Store, wiring: Wiring }} Parts
 */

export const BRIDGE = "Comfywatchman.Panel.Bridge";

/** The settings of the server that the dialog shows, a row each; the panel has them all. */
const SHOWN = /** @type {const} */ (["precision", "targets", "bandwidth", "transfers_at_once", "preview_level"]);

/** @param {Parts} parts */
export function makeSettings(parts) {
  const { named } = parts;
  const rows = [
    {
      id: "Comfywatchman.Hubs.Tokens",
      category: ["Comfywatchman", "Hubs", "Tokens"],
      name: t("host.tokens"),
      tooltip: t("tokens.explain"),
      defaultValue: null,
      type: () => mount(parts, "wm-tokens", (element, state) => {
        element.hubs = state.status?.hubs ?? [];
        element.notes = tokenNotes(state);
      }),
    },
    {
      id: "Comfywatchman.Fetching.Certain",
      category: ["Comfywatchman", "Fetching", "Certain"],
      name: t("setting.fetch_certain"),
      tooltip: t("consent.explain"),
      defaultValue: null,
      type: () => mount(parts, "wm-certain", (element, { status }) => (element.certain = status?.fetch_certain ?? null)),
    },
    ...SHOWN.map((key) => serverRow(parts, key)),
    {
      id: NOTICES,
      category: ["Comfywatchman", "Page", "Notices"],
      name: t("host.notices"),
      type: "boolean",
      defaultValue: true,
    },
    {
      id: BRIDGE,
      category: ["Comfywatchman", "Page", "Bridge"],
      name: t("host.bridge"),
      tooltip: t("host.bridge.tooltip"),
      type: "boolean",
      defaultValue: false,
      onChange: (/** @type {boolean} */ isWanted, /** @type {boolean | undefined} */ before) => {
        if (before === undefined) return; // the first call comes before the set-up, which does it
        if (isWanted) offerBridge(/** @type {any} */ (window), named);
        else withdrawBridge(/** @type {any} */ (window));
      },
    },
  ];
  return rows.reverse(); // the dialog shows them from the last to the first
}

/** @param {Parts} parts @param {typeof SHOWN[number]} key */
function serverRow(parts, key) {
  const category = ["Comfywatchman", "Fetching", key];
  const show = (/** @type {any} */ element, /** @type {import("./types.js").State} */ { settings, status }) => {
    Object.assign(element, { only: key, bare: true, settings, roots: status?.roots ?? [] });
  };
  const type = () => mount(parts, "wm-settings", show);
  return { id: `Comfywatchman.Fetching.${key}`, category, name: t(`setting.${key}`), defaultValue: null, type };
}

/**
 * One of our elements in a row, as long as the row is there.
 *
 * @param {Parts} parts
 * @param {"wm-tokens" | "wm-settings" | "wm-certain"} name
 * @param {(element: any, state: import("./types.js").State) => void} show
 */
function mount({ store, wiring }, name, show) {
  void import(`./elements/${name}.js`);
  const element = document.createElement(name);
  element.style.minWidth = "min(360px, 50vw)";
  wiring.wire(element);
  let wasThere = false;
  const end = store.subscribe((state) => {
    if (wasThere && !element.isConnected) return queueMicrotask(() => end());
    wasThere ||= element.isConnected;
    show(element, state);
  });
  if (!store.state.settings) void wiring.start();
  return element;
}
