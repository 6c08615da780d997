// What a panel shows of a workflow, and what a click on "Fetch" would bring. Pure.
//
//     View → items → groups; items + choices → taken → the body of the fetching call

/** @import { Candidate, Choice, FetchBody, Inspection, Item, Plan, Reference, Root, Status, Transfer, View } from "./types.js" */

/** @typedef {"fetching" | "certain" | "confirm" | "decide" | "asking" | "locked" | "missing" | "refused" | "elsewhere"} GroupName */

/** @type {readonly GroupName[]} */
export const GROUPS = ["fetching", "certain", "confirm", "decide", "asking", "locked", "missing", "refused", "elsewhere"];

/** @type {Record<Exclude<Item["state"], "present">, GroupName>} */
const GROUP_OF = {
  certain: "certain",
  confirm: "confirm",
  choose: "decide",
  asking: "asking",
  locked: "locked",
  missing: "missing",
  refused: "refused",
};

/** The states in which an item's candidates may be fetched. */
const OFFERING = { certain: true, confirm: true, choose: true };

const UNDERWAY = new Set(["queued", "running", "paused"]);

/**
 * The files that a workflow needs: as the inspection names them, with what the plan found for them. A plan may be
 * older than the inspection: what is no longer named is left out, what has come since is here.
 *
 * @param {View} view
 * @returns {Item[]}
 */
export function itemsOf({ inspection, plan, planning }) {
  if (!inspection) return plan?.items ?? [];
  const named = namedFiles(inspection, planning);
  const planned = (plan?.items ?? []).flatMap((item) => {
    const now = named.get(fileOf(item));
    if (!now) return [];
    return now.state === "present" ? [{ ...item, state: now.state, relink: now.relink }] : [item];
  });
  const covered = new Set(planned.map(fileOf));
  return [...planned, ...[...named].flatMap(([file, item]) => (covered.has(file) ? [] : [item]))];
}

/**
 * An item for each file that a workflow names in a node that is not muted.
 *
 * @param {Inspection} inspection
 * @param {boolean} planning whether hubs are being asked
 */
function namedFiles(inspection, planning) {
  /** @type {Map<string, Reference[]>} */
  const files = new Map();
  for (const reference of inspection.references.filter(({ active }) => active)) {
    files.set(fileOf(reference), [...(files.get(fileOf(reference)) ?? []), reference]);
  }
  return new Map([...files].map(([file, references]) => [file, itemOf(references, planning)]));
}

/** What tells one file that is needed from another. @param {{ folder: string, name: string }} named */
export function fileOf({ folder, name }) {
  return `${folder}/${name}`;
}

/**
 * @param {Reference[]} references that name one file
 * @param {boolean} planning whether hubs are being asked
 * @returns {Item}
 */
function itemOf(references, planning) {
  const { key, name, folder } = references[0];
  const relink = references.map((one) => one.relink ?? one.resolution.relink).find(Boolean) ?? null;
  const here = references.every((reference) => reference.resolution.state === "present");
  return {
    key,
    name,
    folder,
    relink,
    references: references.map((reference) => reference.key),
    nodes: references.map((r) => ({ id: r.node_id, type: r.node_type, title: null, input: r.input })),
    state: here ? "present" : planning ? "asking" : "missing",
    consent: null,
    reason: "",
    chosen: null,
    candidates: [],
    target: null,
  };
}

/**
 * The items in groups, certain first; what is here and named rightly is in none.
 *
 * @param {readonly Item[]} items
 * @param {readonly Transfer[]} transfers
 * @returns {[GroupName, Item[]][]}
 */
export function groupItems(items, transfers) {
  /** @type {Map<GroupName, Item[]>} */
  const groups = new Map(GROUPS.map((name) => [name, []]));
  for (const item of items) {
    const name = groupOf(item, transfers);
    if (name) groups.get(name)?.push(item);
  }
  return [...groups].filter(([, members]) => members.length > 0);
}

/**
 * @param {Item} item
 * @param {readonly Transfer[]} transfers
 * @returns {GroupName | null}
 */
function groupOf(item, transfers) {
  if (item.state === "present") return item.relink === null ? null : "elsewhere";
  if (underway(item, transfers)) return "fetching";
  // a row in the plan is confirmed with the click on "Fetch"; what needs a word of its own is no such row
  if (item.state === "confirm" && consentKind(candidateOf(item, undefined)) === "word") return "decide";
  return GROUP_OF[item.state] ?? "missing";
}

/**
 * Why most of the items are not found, where several have that in common: a list need not say it in each row.
 *
 * @param {readonly Item[]} items
 */
export function commonReason(items) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { reason } of items) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  const [reason, count] = [...counts].sort(([, one], [, other]) => other - one)[0] ?? ["", 0];
  return count > 1 ? reason : null;
}

/**
 * The transfer that brings an item and has not ended, if there is one.
 *
 * @param {Item} item
 * @param {readonly Transfer[]} transfers
 */
export function underway(item, transfers) {
  return transfers.find((transfer) => UNDERWAY.has(transfer.state) && brings(transfer, item)) ?? null;
}

/**
 * @param {Transfer} transfer
 * @param {Item} item
 */
function brings(transfer, item) {
  if (transfer.folder !== item.folder) return false;
  if (item.target && transfer.path === item.target.path) return true;
  return transfer.references.some((reference) => reference.name === item.name && reference.folder === item.folder);
}

/**
 * The candidate that would be fetched for an item: the user's, else the plan's.
 *
 * @param {Item} item
 * @param {Choice | undefined} choice
 * @returns {Candidate | null}
 */
export function candidateOf(item, choice) {
  const index = choice?.candidate ?? item.chosen;
  return item.candidates.find((candidate) => candidate.index === index) ?? null;
}

/**
 * How an item's candidate is consented to: by standing in the plan ("row"), by a word of its own ("word"), or
 * not at all. Foreign hosts and pickles need their own word.
 *
 * @param {Candidate | null} candidate
 * @returns {"row" | "word" | null}
 */
export function consentKind(candidate) {
  if (!candidate?.transfer || candidate.consent === null || candidate.consent === "refused") return null;
  return candidate.consent === "file" || candidate.format === "pickle" ? "word" : "row";
}

/**
 * Whether a click on "Fetch" brings an item.
 *
 * @param {Item} item
 * @param {Choice | undefined} choice
 */
export function isTaken(item, choice) {
  const kind = consentKind(candidateOf(item, choice));
  if (kind === null || !(item.state in OFFERING)) return false;
  const isSaid = item.state !== "choose" || choice?.candidate !== undefined; // an offer is no choice
  return choice?.agreed ?? (kind === "row" && isSaid);
}

/**
 * The items that a click on "Fetch" brings, with the sizes of their files.
 *
 * @param {View} view
 * @param {readonly Transfer[]} transfers
 * @returns {{ item: Item, candidate: Candidate }[]}
 */
export function takenItems(view, transfers) {
  if (!view.plan || view.spent) return [];
  return itemsOf(view).flatMap((item) => {
    const choice = view.choices[item.key];
    const candidate = candidateOf(item, choice);
    return candidate && isTaken(item, choice) && !underway(item, transfers) ? [{ item, candidate }] : [];
  });
}

/**
 * Whether a plan offers something that may be fetched, if only the user says so.
 *
 * @param {View} view
 * @param {readonly Transfer[]} [transfers]
 */
export function hasOffer(view, transfers = []) {
  return itemsOf(view).some(
    (item) =>
      item.state in OFFERING && !underway(item, transfers) && item.candidates.some((candidate) => consentKind(candidate) !== null),
  );
}

/**
 * What the fetching call says. Each item is named with its candidate, so that nothing but what was shown is meant.
 *
 * @param {View} view
 * @param {readonly Transfer[]} transfers
 * @param {boolean} [remember] the answer to "fetch what is certain by itself from now on?"
 * @returns {FetchBody}
 */
export function fetchBody(view, transfers, remember) {
  /** @type {FetchBody["items"]} */
  const items = {};
  for (const { item, candidate } of takenItems(view, transfers)) {
    items[item.key] = { candidate: candidate.index, agreed: true, root: view.choices[item.key]?.root ?? null };
  }
  return { consent: "selected", items, ...(remember === undefined ? {} : { remember }) };
}

/**
 * What the taken items need on each drive, against its free space.
 *
 * @param {ReturnType<typeof takenItems>} taken
 * @param {View} view
 * @param {Status | null} status
 */
export function neededOn(taken, view, status) {
  /** @type {Map<string, number>} */
  const needed = new Map();
  for (const { item, candidate } of taken) {
    const root = view.choices[item.key]?.root ?? item.target?.root;
    const drive = status?.roots.find((known) => known.id === root)?.drive;
    if (drive) needed.set(drive, (needed.get(drive) ?? 0) + (candidate.size ?? 0));
  }
  return [...needed].map(([id, bytes]) => {
    const drive = status?.drives.find((known) => known.id === id);
    const free = drive?.free ?? null;
    return { id, label: drive?.label ?? id, needed: bytes, free, enough: free === null || bytes <= free };
  });
}

/**
 * The roots that a file of a folder may go to, the default first.
 *
 * @param {Status | null} status
 * @param {string} folder
 * @returns {Root[]}
 */
export function rootsFor(status, folder) {
  const roots = status?.roots.filter((root) => root.folder === folder && root.writable) ?? [];
  return roots.sort((a, b) => Number(b.default) - Number(a.default));
}

/**
 * Whether the first question must be asked before a plan's certain files come.
 *
 * @param {Status | null} status
 * @param {ReturnType<typeof takenItems>} taken
 */
export function mustAsk(status, taken) {
  return status?.fetch_certain === null && taken.some(({ candidate }) => candidate.consent === "automatic");
}

/**
 * Whether an item fits a filter: every word of it stands in the name, the folder or a node.
 *
 * @param {Item} item
 * @param {string} filter
 */
export function fits(item, filter) {
  const nodes = item.nodes.map((node) => `${node.id} ${node.type} ${node.title ?? ""}`);
  const text = [item.name, item.folder, ...nodes].join("\n").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/**
 * The plan's faults, one a hub.
 *
 * @param {Plan | null} plan
 */
export function faultsOf(plan) {
  return [...new Map((plan?.faults ?? []).map((fault) => [fault.hub, fault])).values()];
}
