// Our rows in ComfyUI's settings dialog. What concerns the server stays on the server: ComfyUI keeps its own
// settings in a plain file that every pack can read. Only what this page does by itself is kept there.

import { offerBridge, withdrawBridge } from "./bridge.js";
import { NOTICES } from "./flow.js";
import { t } from "./words.js";

/**
 * @import { NamedFetches } from "./bridge.js"
 * @import { Store } from "./store.js"
 * @import { Wiring } from "./wiring.js"
 *
 * @typedef {{ named: NamedFetches, store: Store, wiring: Wiring }} Parts
 */

export const BRIDGE = "Comfywatchman.Panel.Bridge";

/** The settings that the dialog shows; the panel has them all. */
const SHOWN = "precision targets bandwidth transfers_at_once nsfw";

/** @param {Parts} parts */
export function makeSettings(parts) {
  const { named } = parts;
  return [
    {
      id: "Comfywatchman.Hubs.Tokens",
      category: ["Comfywatchman", "Hubs", "Tokens"],
      name: t("tokens.title"),
      tooltip: t("tokens.explain"),
      defaultValue: null,
      type: () => mount(parts, "wm-tokens", (element, { status, tokens }) => {
        element.hubs = status?.hubs ?? [];
        element.notes = tokens;
      }),
    },
    {
      id: "Comfywatchman.Fetching.Certain",
      category: ["Comfywatchman", "Fetching", "Certain"],
      name: t("setting.fetch_certain"),
      tooltip: t("consent.explain"),
      defaultValue: null,
      type: () => consentRow(parts),
    },
    {
      id: "Comfywatchman.Fetching.Settings",
      category: ["Comfywatchman", "Fetching", "Settings"],
      name: t("settings.title"),
      defaultValue: null,
      type: () => mount(parts, "wm-settings", (element, { settings, status }) => {
        element.only = SHOWN;
        element.settings = settings;
        element.roots = status?.roots ?? [];
      }),
    },
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
}

/**
 * One of our elements in a row, as long as the row is there.
 *
 * @param {Parts} parts
 * @param {"wm-tokens" | "wm-settings"} name
 * @param {(element: any, state: import("./types.js").State) => void} show
 */
function mount({ store, wiring }, name, show) {
  void import(`./elements/${name}.js`);
  const element = document.createElement(name);
  element.style.minWidth = "min(420px, 60vw)";
  wiring.wire(element);
  let wasThere = false;
  const end = store.subscribe((state) => {
    if (wasThere && !element.isConnected) return queueMicrotask(() => end());
    wasThere ||= element.isConnected;
    show(element, state);
  });
  void wiring.start();
  return element;
}

/**
 * Says whether certain files come by themselves, and takes that back: then the question is asked once more.
 * A yes is only ever given to a plan that is shown.
 *
 * @param {Parts} parts
 */
function consentRow({ store, wiring }) {
  const row = document.createElement("div");
  const text = document.createElement("span");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = t("host.ask-again");
  button.style.marginInlineStart = "8px";
  button.addEventListener("click", () => void wiring.changeSettings({ fetch_certain: null }).then(() => wiring.refresh()));
  row.append(text, button);
  let wasThere = false;
  const end = store.subscribe(({ status }) => {
    if (wasThere && !row.isConnected) return queueMicrotask(() => end());
    wasThere ||= row.isConnected;
    const certain = status?.fetch_certain ?? null;
    text.textContent = certain === null ? t("host.certain.asked") : t(certain ? "host.certain.yes" : "host.certain.no");
    button.hidden = certain === null;
  });
  return row;
}
