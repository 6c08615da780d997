// Every text that a person sees, by key. A text with `{count}` may have a form for one and one for others.

const WORDS = {
  "panel.title": "Models",
  "panel.missing": "Missing",
  "panel.transfers": "Transfers",
  "panel.settings": "Settings",
  "panel.tabs": "Views",
  "panel.rescan": "Look again",
  "panel.lost": "The server does not answer. Trying again…",
  "panel.offline": "Working offline: no hub is asked. What is on this machine still works.",
  "panel.hub-down": "{hub} does not answer. The rest still works.",
  "panel.dismiss": "Dismiss",

  "missing.empty": "Everything this workflow needs is here.",
  "missing.empty.none": "This workflow names no models.",
  "missing.empty.unscanned": "Open a workflow, and what it lacks is listed here.",
  "missing.here": { one: "{count} model is here.", other: "{count} models are here." },
  "missing.filter": "Filter by name, folder or node",
  "missing.filter.none": "Nothing matches “{text}”.",
  "missing.asking": "Asking {hubs}…",
  "missing.looking": "Looking…",
  "missing.find": "Find sources",
  "missing.unknown-nodes": {
    one: "{count} kind of node is not installed; the models it names may not be seen: {types}",
    other: "{count} kinds of nodes are not installed; the models they name may not be seen: {types}",
  },
  "missing.fetch": { one: "Fetch {count} model · {size}", other: "Fetch {count} models · {size}" },
  "missing.fetch.none": "Nothing chosen to fetch",
  "missing.relink-all": { one: "Relink {count} model", other: "Relink {count} models" },
  "missing.drive": "{needed} needed, {free} free on {label}",
  "missing.drive.unknown": "{needed} needed on {label}; free space unknown",
  "missing.drive.full": "Not enough space on {label}: {needed} needed, {free} free",
  "missing.skipped": "{name} was not fetched: {message}",

  "group.fetching": "On their way",
  "group.certain": "Certain",
  "group.decide": "Needs a decision",
  "group.asking": "Looking",
  "group.locked": "Locked",
  "group.missing": "Not found",
  "group.refused": "Not fetched",
  "group.elsewhere": "On this machine under another name or folder",

  "state.present": "elsewhere",
  "state.certain": "certain",
  "state.confirm": "confirm",
  "state.choose": "choose",
  "state.chosen": "chosen",
  "state.locked": "locked",
  "state.refused": "refused",
  "state.missing": "not found",
  "state.asking": "looking",

  "item.locate": "Show the node {title}",
  "item.more-nodes": "{count} more",
  "item.take": "Fetch {name}",
  "item.open-page-at": "Open the page at {hub}",
  "item.open-page-of": "Open the page of {name} at {hub}",
  "item.choose": { one: "Look at {count} candidate", other: "Choose from {count}" },
  "item.change": "Change",
  "item.close": "Close",
  "item.relink": "Relink",
  "item.relink-to": "Here as {name}",
  "item.into": "Folder for {name}",
  "item.folder": "The folder that it goes to",
  "item.free": "{label} · {free} free",
  "item.set-token": "Set the {hub} token",
  "item.help": "A link to it in the workflow would help, or the file itself in the folder {folder}.",
  "item.not-searched": "Not on this machine.",
  "item.progress": "{percent} % of {size}",

  "choices.label": "Candidates for {name}",
  "choices.base": "Base model",
  "choices.precision": "Precision",
  "choices.size": "Size",
  "choices.by": "By",
  "choices.date": "Published",
  "choices.licence": "Licence",
  "choices.downloads": "Downloads",
  "choices.file": "File",
  "choices.evidence": "Why",
  "choices.unavailable": "Cannot be fetched",

  "consent.title": "Fetch what is certain by itself from now on?",
  "consent.explain":
    "Certain means: from CivitAI or Hugging Face, in a format that holds only weights, and every byte checked against the digest that the hub publishes. Anything else is still asked. You can change this in the settings.",
  "consent.yes": "Yes, fetch by itself",
  "consent.no": "Ask me each time",
  "consent.later": "Not now",
  "consent.host": "This file comes from a host that is no known hub.",
  "consent.pickle": "This format can run code when it is loaded. Only take it from someone you trust.",
  "consent.agree": "Fetch it from",
  "consent.agree.plain": "Fetch it anyway",

  "transfers.empty": "No transfers yet.",
  "transfers.list": "Transfers in their order",
  "transfers.active": "Now",
  "transfers.history": "History",
  "transfers.progress": "Progress of all transfers",
  "transfers.running": { one: "{count} running", other: "{count} running" },
  "transfers.queued": { one: "{count} waiting", other: "{count} waiting" },
  "transfers.paused": { one: "{count} paused", other: "{count} paused" },
  "transfers.failed": { one: "{count} failed", other: "{count} failed" },
  "transfers.verified": { one: "{count} done", other: "{count} done" },
  "transfers.left": "{eta} left",
  "transfers.of": "{done} of {size}",
  "transfers.done-of-unknown": "{done} so far",
  "transfers.pause": "Pause",
  "transfers.resume": "Resume",
  "transfers.cancel": "Cancel",
  "transfers.retry": "Try again",
  "transfers.forget": "Remove from the list",
  "transfers.pause-all": "Pause all",
  "transfers.resume-all": "Resume all",
  "transfers.cancel-all": "Cancel all",
  "transfers.retry-all": "Retry all",
  "transfers.clear": "Clear history",
  "transfers.act": "{action}: {name}",
  "transfers.move": "Move {name}: Alt+Up or Alt+Down",
  "transfers.moved": "{name} is now number {position} of {count}",
  "transfers.cancel-sure": { one: "Cancel {count} transfer?", other: "Cancel {count} transfers?" },
  "transfers.keep": "Keep",

  "transfer.queued": "waiting",
  "transfer.running": "running",
  "transfer.paused": "paused",
  "transfer.verified": "verified",
  "transfer.failed": "failed",
  "transfer.cancelled": "cancelled",
  "transfer.skipped": "already here",

  "verification.digest": "matches its published digest",
  "verification.size": "size as announced; no digest published",
  "verification.structure": "well-formed; no digest published",
  "verification.none": "not verified",

  "evidence.digest": "same digest",
  "evidence.known": "known model",
  "evidence.url": "workflow’s link",
  "evidence.name": "same name",
  "evidence.similar-name": "similar name",

  "access.open": "",
  "access.login": "needs a token",
  "access.gated": "gated: ask for access on its page",
  "access.early": "early access: see its page",
  "access.withdrawn": "withdrawn",

  "locked.login": "{hub} gives this file to signed-in users only. Set a token, and it can be fetched.",
  "locked.gated": "Its owner asks you to accept terms first: open the page, ask for access, then set a {hub} token.",
  "locked.gated.token": "Its owner asks you to accept terms first: open the page, ask for access, then look again.",
  "locked.early": "In early access: it can be bought on its page, or waited for.",
  "locked.withdrawn": "Its owner has taken this file back.",

  "tokens.title": "Tokens",
  "tokens.explain": "A token stays on the server, and no page can read it back.",
  "tokens.set": "set",
  "tokens.set-where": "set ({where})",
  "tokens.not-set": "not set",
  "tokens.field": "New token for {hub}",
  "tokens.placeholder": "Paste a token",
  "tokens.save": "Save",
  "tokens.replace": "Replace",
  "tokens.test": "Test",
  "tokens.test-of": "Test the {hub} token",
  "tokens.remove": "Remove",
  "tokens.remove-of": "Remove the {hub} token",
  "tokens.testing": "Asking {hub}…",
  "tokens.saving": "Saving…",
  "tokens.works": "It works: signed in as {account}.",
  "tokens.works.plain": "It works.",
  "tokens.refused": "{hub} does not accept this token. Paste another one and replace it.",
  "tokens.environment": "It comes from the environment of the server and is changed there.",
  "tokens.get": "Get one at {hub}",

  "where.environment": "by the environment",
  "where.keyring": "in the keyring",
  "where.file": "in a private file",
  "where.huggingface": "by huggingface-cli",

  "settings.title": "Settings",
  "settings.none": "The settings have not come yet.",
  "settings.environment": "set by the environment of the server",
  "settings.guarded": "can only be changed on the server, by the command line or its settings file",
  "settings.yes": "yes",
  "settings.no": "no",
  "settings.nothing": "none",
  "settings.unlimited": "no limit",
  "settings.advanced": "Set on the server",

  "setting.fetch_certain": "Fetch what is certain by itself",
  "setting.precision": "Precision that is offered first",
  "setting.bandwidth": "Bandwidth for all transfers",
  "setting.transfers_at_once": "Transfers at the same time",
  "setting.connections_per_host": "Connections to one host",
  "setting.nsfw": "Show adult previews and models",
  "setting.cache_hours": "Hours that a hub’s answer is remembered",

  "unit.seconds": "{count} s",
  "unit.minutes": "{count} min",
  "unit.hours": "{hours} h {minutes} min",
  "unit.days": { one: "{count} day", other: "{count} days" },
  "unit.unknown": "unknown size",
  "unit.some-unknown": "{size}, {count} of unknown size",
  "unit.all-unknown": "size unknown",

  "host.tab": "Models: what this workflow lacks, and what is on its way",
  "host.missing": { one: "{count} model is missing", other: "{count} models are missing" },
  "host.missing.detail": "The Models tab in the sidebar shows them and can fetch them.",
  "host.show": "Show",
  "host.arrived": { one: "{count} model is here and verified", other: "{count} models are here and verified" },
  "host.stuck": "Some models need a decision",
  "host.stuck.detail": "The Models tab in the sidebar says what each of them waits for.",
  "host.pinned": { one: "{count} node names its source now", other: "{count} nodes name their source now" },
  "host.no-source": "No source is known for it",
  "host.words": "Copied: {words}",
  "host.no-words": "No trigger words are known for it",
  "host.run.title": "Fetch the missing models, then run?",
  "host.run": {
    one: "{count} model is missing. It is fetched and verified first; then the workflow runs.",
    other: "{count} models are missing. They are fetched and verified first; then the workflow runs.",
  },
  "host.run.coming": {
    one: "{count} model is on its way. The workflow runs once it is here.",
    other: "{count} models are on their way. The workflow runs once they are here.",
  },
  "host.run.left": {
    one: "{count} more needs a decision in the Models tab.",
    other: "{count} more need a decision in the Models tab.",
  },
  "host.ask-again": "Ask me again",
  "host.certain.asked": "You are asked at the next fetch.",
  "host.certain.yes": "By itself, once a workflow is opened.",
  "host.certain.no": "Only when you say so.",
  "host.notices": "Say so when an opened workflow lacks models",
  "host.bridge": "Let the built-in panel’s Download buttons fetch to the server",
  "host.bridge.tooltip":
    "What comes is what the Models tab has found for the file, verified, in the right folder. Front ends before 1.45 have no such buttons.",

  "stack.list": "LoRAs in their order",
  "stack.add": "Add a LoRA",
  "stack.on": "Use {name}",
  "stack.name": "Name, link or id",
  "stack.placeholder": "name, link or id",
  "stack.unnamed": "the LoRA without a name",
  "stack.model": "Strength of {name} for the model",
  "stack.clip": "Strength of {name} for CLIP",
  "stack.words": "Trigger words of {name}",
  "stack.words.all": "all trigger words",
  "stack.up": "Move {name} up",
  "stack.down": "Move {name} down",
  "stack.remove": "Remove {name}",
  "words.none": "Run once to see the trigger words.",
  "words.list": "Trigger words, on or off",

  "menu.find": "Find this model",
  "menu.pin": "Pin source into workflow",
  "menu.words": "Copy trigger words",
  "command.panel": "Models: show or hide",
  "command.find": "Models: find what is missing",
  "command.run": "Models: fetch what is missing, then run",
  "command.pin": "Models: write found sources into the nodes",

  "fault.network": "The server cannot be reached.",
  "fault.network.hint": "Look whether ComfyUI is still running.",
  "fault.timeout": "The server did not answer in {seconds} seconds.",
  "fault.timeout.hint": "It may be busy; try again.",
  "fault.not-json": "The server gave an answer that is not ours ({status}).",
  "fault.not-json.hint": "Look at ComfyUI’s log.",
};

/** @typedef {keyof typeof WORDS} Word */

const PLURALS = new Intl.PluralRules("en");

/**
 * The text of a key with its values in place. Values are put in as they are: they are text, never markup.
 *
 * @param {Word} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const entry = WORDS[key];
  const text =
    typeof entry === "string" ? entry : entry[PLURALS.select(Number(values.count)) === "one" ? "one" : "other"];
  return text.replace(/\{([a-z]+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * Whether a key, perhaps made from what a server said, has a text.
 *
 * @param {string} key
 * @returns {key is Word}
 */
export function hasWord(key) {
  return Object.hasOwn(WORDS, key);
}
