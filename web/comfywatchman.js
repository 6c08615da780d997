// The pack's door in ComfyUI's front end, and the only module with an effect: it registers the extension and
// wires routes → store → elements. Everything else is handed what it needs.

// @ts-expect-error ComfyUI serves it
import { app } from "../../scripts/app.js";
// @ts-expect-error ComfyUI serves it
import { api as host } from "../../scripts/api.js";

import { Api } from "./api.js";
import { NamedFetches, offerBridge } from "./bridge.js";
import { Flow } from "./flow.js";
import { FrontEnd } from "./frontend.js";
import { KEYS, addOldMenu, makeCommands, nodeMenu } from "./menus.js";
import { dressNode } from "./nodes/dress.js";
import { BRIDGE, makeSettings } from "./settings.js";
import { Store } from "./store.js";
import { Wiring } from "./wiring.js";
import { t } from "./words.js";

const OURS = ["transfer", "operation", "library", "settings", "checkpoint"].map((name) => `comfywatchman.${name}`);

const front = new FrontEnd(app);
const api = new Api((path, init) => host.fetchApi(path, init));
const store = new Store({ base: host.apiURL("") });
const wiring = new Wiring(api, store, { memory: sessionStorage });
const flow = new Flow({ front, api, wiring, store, session: sessionStorage });
const named = new NamedFetches({ flow, front });
const parts = { app, flow, front, listNames, named, store, wiring };

app.registerExtension({
  name: "comfywatchman",
  commands: makeCommands(parts),
  keybindings: KEYS,
  settings: makeSettings(parts),

  /** Events may come before the page is set up, and what nobody listens for yet is warned of in the console. */
  init() {
    for (const type of OURS) {
      host.addEventListener(type, (/** @type {CustomEvent} */ event) => void flow.hear(type, event.detail));
    }
  },

  /** Nothing is awaited here: all packs wait for one another. */
  setup() {
    front.addTab({ title: t("panel.title"), tooltip: t("host.tab"), render: renderPanel });
    listen();
    if (front.setting(BRIDGE) === true) offerBridge(/** @type {any} */ (window), named);
    void flow.connect();
  },

  afterConfigureGraph() {
    void flow.loaded();
  },

  /** @param {any} node */
  nodeCreated(node) {
    addOldMenu(parts, node);
    dressNode(parts, node);
  },

  /** @param {any} node */
  getNodeMenuItems: (node) => nodeMenu(parts, node),
});

/** The files of a folder as ComfyUI lists them. @param {string} folder @returns {Promise<string[]>} */
async function listNames(folder) {
  const answer = await host.fetchApi(`/models/${folder}`);
  return answer.ok ? answer.json() : [];
}

/** The panel once, in whatever element the front end gives. @param {HTMLElement} place */
function renderPanel(place) {
  if (place.querySelector("wm-panel")) return;
  void import("./elements/wm-panel.js");
  const panel = /** @type {HTMLElement & { state: unknown }} */ (document.createElement("wm-panel"));
  place.style.height = "100%"; // so that the list scrolls, and not the panel with its header
  wiring.wire(panel);
  flow.wire(panel);
  const end = store.subscribe((state) => {
    if (panel.isConnected || !panel.dataset.seen) panel.state = state;
    else end();
    if (panel.isConnected) panel.dataset.seen = "yes";
  });
  place.append(panel);
  flow.changed();
}

function listen() {
  const events = {
    graphChanged: () => flow.changed(),
    promptQueueing: () => flow.runs.pressed(),
    promptQueued: () => flow.runs.ended(),
    reconnecting: () => flow.disconnected(),
    reconnected: () => flow.reconnected(),
  };
  for (const [type, act] of Object.entries(events)) {
    host.addEventListener(type, () => void act());
  }
  chainApiLoading();
}

/** Up to 1.49 no hook tells that a file in the API form was opened. */
function chainApiLoading() {
  const load = app.loadApiJson;
  if (typeof load !== "function") return;
  app.loadApiJson = async (/** @type {unknown[]} */ ...given) => {
    const done = await load.apply(app, given);
    void flow.loaded();
    return done;
  };
}
