// States of the panel for the gallery and the tests: every state of an item and a transfer, long names, other
// scripts, and text from outside that tries to be markup.

/**
 * @import { Candidate, Inspection, Item, Plan, Setting, State, Status, Transfer, View } from "../../web/types.js"
 */

import { emptyView, EMPTY } from "../../web/store.js";

const GB = 1e9;

/** @type {Status} */
export const STATUS = {
  version: "0.3.0",
  offline: false,
  roots: [
    { id: "r1", folder: "checkpoints", label: "models/checkpoints", default: true, writable: true, free: 212 * GB, drive: "d1" },
    { id: "r2", folder: "loras", label: "models/loras", default: true, writable: true, free: 212 * GB, drive: "d1" },
    { id: "r3", folder: "loras", label: "big/loras", default: false, writable: true, free: 1840 * GB, drive: "d2" },
    { id: "r4", folder: "vae", label: "models/vae", default: true, writable: true, free: 212 * GB, drive: "d1" },
  ],
  drives: [
    { id: "d1", label: "ComfyUI/models", free: 212 * GB, total: 1000 * GB },
    { id: "d2", label: "mnt/big", free: 1840 * GB, total: 4000 * GB },
  ],
  hubs: [
    { name: "civitai", title: "CivitAI", has_token: false, token_where: null, state: "reachable", message: null },
    { name: "huggingface", title: "Hugging Face", has_token: true, token_where: "keyring", state: "reachable", message: null },
  ],
  queue: { running: 2, queued: 1, paused: 1, failed: 1, verified: 2, speed: 84e6, done: 7 * GB, size: 20 * GB },
  fetch_certain: null,
  features: ["inspections", "plans", "transfers", "settings", "tokens", "checkpoint"],
};

/**
 * @param {Partial<Candidate>} facts
 * @returns {Candidate}
 */
export function candidate(facts) {
  return {
    index: 0,
    hub: "civitai",
    hub_title: "CivitAI",
    name: "model.safetensors",
    model_name: null,
    version_name: null,
    base_model: null,
    precision: null,
    format: "safetensors",
    size: null,
    uploader: null,
    licence: null,
    published_at: null,
    downloads: null,
    page: null,
    air: null,
    access: "open",
    evidence: "digest",
    digests: [],
    host: "civitai.com",
    preview: null,
    trigger_words: [],
    consent: "automatic",
    reason: "",
    transfer: true,
    ...facts,
  };
}

/**
 * @param {Partial<Item> & { key: string }} facts
 * @returns {Item}
 */
export function item(facts) {
  return {
    references: [facts.key],
    nodes: [{ id: "4", type: "CheckpointLoaderSimple", title: null, input: "ckpt_name" }],
    name: "model.safetensors",
    folder: "checkpoints",
    state: "missing",
    consent: null,
    reason: "",
    relink: null,
    chosen: null,
    candidates: [],
    target: null,
    ...facts,
  };
}

const PAGE = "https://civitai.com/models/133005?modelVersionId=456194";

const CERTAIN = item({
  key: "4.ckpt_name",
  name: "juggernautXL_v9Rdphoto2Lightning.safetensors",
  state: "certain",
  consent: "automatic",
  reason: "CivitAI publishes its digest",
  chosen: 0,
  target: { root: "r1", folder: "checkpoints", path: "juggernautXL_v9Rdphoto2Lightning.safetensors" },
  candidates: [
    candidate({ size: 7_105_352_832, model_name: "Juggernaut XL", version_name: "V9+RDPhoto2 Lightning", page: PAGE, reason: "CivitAI publishes its digest" }),
  ],
});

const KNOWN = item({
  key: "8.vae_name",
  name: "ae.safetensors",
  folder: "vae",
  state: "certain",
  consent: "automatic",
  chosen: 0,
  nodes: [
    { id: "8", type: "VAELoader", title: null, input: "vae_name" },
    { id: "12:3", type: "VAELoader", title: "Decode big", input: "vae_name" },
    { id: "31", type: "VAELoader", title: null, input: "vae_name" },
    { id: "32", type: "VAELoader", title: null, input: "vae_name" },
    { id: "33", type: "VAELoader", title: null, input: "vae_name" },
  ],
  target: { root: "r4", folder: "vae", path: "ae.safetensors" },
  candidates: [
    candidate({ hub: "huggingface", hub_title: "Hugging Face", evidence: "known", size: 335_304_388, model_name: "Comfy-Org/Lumina_Image_2.0_Repackaged", page: "https://huggingface.co/Comfy-Org/Lumina_Image_2.0_Repackaged", host: "huggingface.co" }),
  ],
});

const CONFIRM = item({
  key: "10.lora_name",
  name: "detail/add-detail-xl.safetensors",
  folder: "loras",
  nodes: [{ id: "10", type: "LoraLoader", title: "Détails", input: "lora_name" }],
  state: "confirm",
  consent: "plan",
  reason: "only its name is the same",
  chosen: 0,
  target: { root: "r2", folder: "loras", path: "detail/add-detail-xl.safetensors" },
  candidates: [
    candidate({ evidence: "name", consent: "plan", reason: "only its name is the same", size: 228_000_000, model_name: "Detail Tweaker XL", version_name: "v1.0", page: "https://civitai.com/models/122359" }),
  ],
});

const FOREIGN = item({
  key: "11.lora_name",
  name: "studio-style.safetensors",
  folder: "loras",
  nodes: [{ id: "11", type: "LoraLoader", title: null, input: "lora_name" }],
  state: "confirm",
  consent: "file",
  chosen: 0,
  target: { root: "r2", folder: "loras", path: "studio-style.safetensors" },
  candidates: [
    candidate({ hub: "web", hub_title: "", host: "files.a-very-long-subdomain.of-some-studio.example.org:8443", evidence: "url", consent: "file", reason: "from files.a-very-long-subdomain.of-some-studio.example.org, which is no hub", size: 151_000_000 }),
  ],
});

const PICKLE = item({
  key: "13.model_name",
  name: "4x_NMKD-Superscale-SP_178000_G.pth",
  folder: "upscale_models",
  nodes: [{ id: "13", type: "UpscaleModelLoader", title: null, input: "model_name" }],
  state: "confirm",
  consent: "plan",
  chosen: 0,
  target: { root: "r1", folder: "upscale_models", path: "4x_NMKD-Superscale-SP_178000_G.pth" },
  candidates: [
    candidate({ hub: "huggingface", hub_title: "Hugging Face", host: "huggingface.co", format: "pickle", evidence: "digest", consent: "plan", reason: "a pickle: it can run code when it is loaded; Hugging Face publishes its digest, and its scans passed", size: 66_958_607, model_name: "gemasai/4x_NMKD-Superscale", page: "https://huggingface.co/gemasai/4x_NMKD-Superscale" }),
  ],
});

const CHOOSE = item({
  key: "14.unet_name",
  name: "flux1-dev-fp8.safetensors",
  folder: "diffusion_models",
  nodes: [{ id: "14", type: "UNETLoader", title: null, input: "unet_name" }],
  state: "choose",
  reason: "3 files may be meant",
  target: { root: "r1", folder: "diffusion_models", path: "flux1-dev-fp8.safetensors" },
  candidates: [
    candidate({ index: 0, model_name: "FLUX.1 [dev] fp8", version_name: "fp8 e4m3fn", base_model: "Flux.1 D", precision: "fp8 e4m3fn", size: 11_901_525_888, uploader: "Kijai", licence: "FLUX.1 [dev] Non-Commercial", published_at: "2024-08-04T09:30:00Z", downloads: 184_233, evidence: "name", consent: "plan", reason: "only its name is the same", page: PAGE, preview: "/comfywatchman/v1/previews/flux" }),
    candidate({ index: 1, hub: "huggingface", hub_title: "Hugging Face", host: "huggingface.co", model_name: "Comfy-Org/flux1-dev", version_name: null, base_model: "Flux.1 D", precision: "fp8 e4m3fn", size: 17_246_524_772, uploader: "Comfy-Org", licence: "flux-1-dev-non-commercial-license", published_at: "2024-08-06T10:00:00Z", downloads: 2_104_000, evidence: "name", consent: "plan", reason: "only its name is the same", page: "https://huggingface.co/Comfy-Org/flux1-dev" }),
    candidate({ index: 2, model_name: "Flux dev, early and locked", version_name: "v2", base_model: "Flux.1 D", precision: "bf16", size: 23_800_000_000, uploader: "someone", evidence: "similar-name", access: "early", transfer: false, consent: "refused", reason: "early access: buy it on its page", page: PAGE }),
  ],
});

const GATED = item({
  key: "15.ckpt_name",
  name: "sd3.5_large.safetensors",
  nodes: [{ id: "15", type: "CheckpointLoaderSimple", title: null, input: "ckpt_name" }],
  state: "locked",
  consent: "refused",
  chosen: 0,
  candidates: [
    candidate({ hub: "huggingface", hub_title: "Hugging Face", host: "huggingface.co", access: "gated", transfer: false, consent: "refused", evidence: "url", size: 16_460_379_262, model_name: "stabilityai/stable-diffusion-3.5-large", page: "https://huggingface.co/stabilityai/stable-diffusion-3.5-large", reason: "gated: ask for access on its page" }),
  ],
});

const LOGIN = item({
  key: "16.lora_name",
  name: "membersOnly_v3.safetensors",
  folder: "loras",
  nodes: [{ id: "16", type: "LoraLoader", title: null, input: "lora_name" }],
  state: "locked",
  consent: "refused",
  chosen: 0,
  candidates: [candidate({ access: "login", transfer: false, consent: "refused", evidence: "digest", size: 228_000_000, model_name: "Members only", version_name: "v3", page: PAGE })],
});

const EARLY = item({
  key: "24.lora_name",
  name: "soon/inkSoon_v1.safetensors",
  folder: "loras",
  nodes: [{ id: "24", type: "LoraLoader", title: null, input: "lora_name" }],
  state: "locked",
  consent: "refused",
  chosen: 0,
  candidates: [candidate({ access: "early", transfer: false, consent: "refused", evidence: "url", size: 228_000_000, model_name: "Ink Soon", version_name: "v1", page: PAGE })],
});

const NOWHERE = item({
  key: "17.control_net_name",
  name: "my-own-secret-finetune-step-000123000-ema-fp16-final-really-final-v2.safetensors",
  folder: "controlnet",
  nodes: [{ id: "17", type: "ControlNetLoader", title: null, input: "control_net_name" }],
  reason: "not found in the workflow's links, the known models, CivitAI or Hugging Face",
});

/** One of many. @param {number} at */
function nowhere(at) {
  return { ...NOWHERE, key: `${at}.lora_name`, name: `styles/batch_${at % 7}/my-own-lora-number-${at}_step-000123.safetensors`, folder: "loras" };
}

const REFUSED = item({
  key: "18.lora_name",
  name: "pack-of-loras.zip",
  folder: "loras",
  nodes: [{ id: "18", type: "LoraLoader", title: null, input: "lora_name" }],
  state: "refused",
  consent: "refused",
  reason: "an archive: nothing is unpacked",
  chosen: 0,
  candidates: [candidate({ hub: "web", hub_title: "", host: "example.org", transfer: false, consent: "refused", evidence: "url", reason: "an archive: nothing is unpacked" })],
});

const ELSEWHERE = item({
  key: "19.clip_name",
  name: "t5xxl_fp16.safetensors",
  folder: "text_encoders",
  nodes: [{ id: "19", type: "CLIPLoader", title: null, input: "clip_name" }],
  state: "present",
  relink: "flux/t5xxl_fp16.safetensors",
});

const CJK = item({
  key: "20.lora_name",
  name: "水墨风格/中国水墨画风格大模型_第三版_高精度训练完整版.safetensors",
  folder: "loras",
  nodes: [{ id: "20", type: "LoraLoader", title: "水墨ローラ", input: "lora_name" }],
  state: "certain",
  consent: "automatic",
  chosen: 0,
  target: { root: "r2", folder: "loras", path: "水墨风格/中国水墨画风格大模型_第三版_高精度训练完整版.safetensors" },
  candidates: [candidate({ size: 151_110_000, model_name: "中国水墨画风格", version_name: "第三版", page: PAGE })],
});

const ASKING = item({ key: "21.lora_name", name: "still-asking.safetensors", folder: "loras", state: "asking" });
const HERE = item({ key: "22.vae_name", name: "here.safetensors", folder: "vae", state: "present" });

const UNDERWAY = item({
  key: "23.ckpt_name",
  name: "sd_xl_base_1.0.safetensors",
  nodes: [{ id: "23", type: "CheckpointLoaderSimple", title: null, input: "ckpt_name" }],
  state: "certain",
  consent: "automatic",
  chosen: 0,
  target: { root: "r1", folder: "checkpoints", path: "sd_xl_base_1.0.safetensors" },
  candidates: [candidate({ size: 6_938_078_334 })],
});

/**
 * @param {Partial<Transfer> & { id: string }} facts
 * @returns {Transfer}
 */
export function transfer(facts) {
  const name = facts.name ?? "model.safetensors";
  return {
    name,
    folder: "checkpoints",
    path: name,
    root: "r1",
    hub: "civitai",
    page: PAGE,
    state: "queued",
    priority: 0,
    position: 0,
    done: 0,
    size: 6_938_078_334,
    speed: 0,
    eta: null,
    note: "",
    verification: null,
    digests: [],
    error: null,
    added: 1_750_000_000,
    changed: 1_750_000_000,
    relink: null,
    references: [],
    ...facts,
  };
}

/** @type {Transfer[]} */
export const TRANSFERS = [
  transfer({ id: "t1", name: "sd_xl_base_1.0.safetensors", state: "running", position: 0, done: 2_914_000_000, speed: 61e6, eta: 66 }),
  transfer({ id: "t2", name: "umt5_xxl_fp8_e4m3fn_scaled.safetensors", folder: "text_encoders", state: "running", position: 1, done: 870_000_000, size: null, speed: 23e6 }),
  transfer({ id: "t3", name: "水墨风格大模型_第三版_高精度训练完整版_最终发布.safetensors", folder: "loras", state: "queued", position: 2, size: 151_110_000 }),
  transfer({ id: "t4", name: "flux1-dev-fp8-with-a-very-long-name-that-never-seems-to-end-e4m3fn.safetensors", folder: "diffusion_models", state: "paused", position: 3, done: 5_100_000_000, size: 11_901_525_888 }),
  transfer({ id: "t5", name: "add-detail-xl.safetensors", folder: "loras", state: "failed", done: 12, size: 228_000_000, changed: 1_750_000_900, error: { code: "no-space", message: "Not enough space on models/loras: 228 MB needed, 12 MB free.", hint: "Make room, then try again." } }),
  transfer({ id: "t6", name: "ae.safetensors", folder: "vae", state: "verified", done: 335_304_388, size: 335_304_388, verification: "digest", changed: 1_750_000_800 }),
  transfer({ id: "t7", name: "studio-style.safetensors", folder: "loras", state: "verified", done: 151e6, size: 151e6, verification: "size", changed: 1_750_000_700, page: null }),
  transfer({ id: "t8", name: "changed-my-mind.safetensors", folder: "loras", state: "cancelled", changed: 1_750_000_600 }),
  transfer({ id: "t9", name: "was-here.safetensors", folder: "loras", state: "skipped", changed: 1_750_000_500, note: "the same digest" }),
];

/** @type {Setting[]} */
export const SETTINGS = [
  { key: "fetch_certain", value: false, default: null, origin: "file", kind: "flag", choices: null, help: "fetch what is certain without a question; none: ask", writable: false },
  { key: "bandwidth", value: 20_971_520, default: null, origin: "file", kind: "size", choices: null, help: "the most bytes a second over all transfers, like 20 MB", writable: true },
  { key: "transfers_at_once", value: 3, default: 3, origin: "default", kind: "count", choices: null, help: "files fetched at the same time", writable: true },
  { key: "targets", value: { gone: null }, default: {}, origin: "default", kind: "places", choices: null, help: "where new files of a folder go, if several directories serve it", writable: true },
  { key: "nsfw", value: false, default: false, origin: "default", kind: "flag", choices: null, help: "show adult models in search", writable: true },
  { key: "cache_hours", value: 720, default: 720, origin: "default", kind: "count", choices: null, help: "the longest that a hub's answer is remembered", writable: true },
  { key: "automatic_cap", value: 32_212_254_720, default: 32_212_254_720, origin: "default", kind: "size", choices: null, help: "the largest file fetched without a question", writable: false },
  { key: "allow_lan", value: false, default: false, origin: "default", kind: "flag", choices: null, help: "let other machines use our routes in ComfyUI", writable: false },
  { key: "preview_level", value: "safe", default: "safe", origin: "default", kind: "text", choices: ["none", "safe", "mature", "all"], help: "which pictures of models pages show", writable: true },
  { key: "huggingface_endpoint", value: "https://mirror.example.org", default: "https://huggingface.co", origin: "environment", kind: "text", choices: null, help: "where Hugging Face is asked", writable: false },
];

/**
 * @param {Partial<Plan>} facts
 * @returns {Plan}
 */
export function plan(facts) {
  return { id: "p1", expires: 2e9, stage: "done", asking: [], faults: [], items: [], size: 0, drives: [], ...facts };
}

/**
 * The inspection of a workflow that names items' files, and has nodes of a type that nobody knows.
 *
 * @param {Item[]} items
 * @param {string} type
 * @returns {Inspection}
 */
export function inspection(items, type) {
  const references = items.map(({ key, name, folder, state, relink }) => ({
    key, name, folder, relink, node_id: "1", node_type: "Loader", input: "name", active: true,
    resolution: { state: state === "present" ? state : /** @type {const} */ ("missing"), evidence: null },
  }));
  return { format: "ui", references, missing: items.length, unknown_nodes: [{ type, node_ids: ["7"] }] };
}

/**
 * @param {Partial<View>} facts
 * @returns {View}
 */
export function view(facts) {
  return { ...emptyView("w1"), name: "portrait.json", ...facts };
}

const ALL = [UNDERWAY, CERTAIN, KNOWN, CJK, CONFIRM, FOREIGN, PICKLE, CHOOSE, ASKING, GATED, LOGIN, NOWHERE, REFUSED, ELSEWHERE, HERE];

/**
 * @param {Partial<State>} facts
 * @returns {State}
 */
export function state(facts) {
  return { ...EMPTY, link: "ready", status: STATUS, current: "w1", views: { w1: view({}) }, settings: SETTINGS, ...facts };
}

/** @param {readonly Transfer[]} list */
function byId(list) {
  return Object.fromEntries(list.map((one) => [one.id, one]));
}

/** Text that would run if it were ever taken for markup, an address or a template. */
export const PAYLOADS = [
  "<img src=x onerror=hacked('img')>",
  "\"><script>hacked('script')</script>",
  "'\" onmouseover=hacked('attr') autofocus onfocus=hacked('focus') x='",
  "<svg/onload=hacked('svg')><title></svg>",
  "javascript:hacked('url')",
  "${hacked('template')}{{hacked('mustache')}}",
  "</style><style onload=hacked('style')>*{color:red}",
  "<math><mi xlink:href=\"data:x,<script>hacked('math')</script>\">",
  "data:text/html,<script>hacked('data')</script>",
  "a\u202Egnp.exe\u0000<!--?lit$123$-->",
];

/**
 * A value with every text in it, keys apart, replaced by a payload; the words of closed sets stay.
 *
 * @template T
 * @param {T} value
 * @param {string} payload
 * @returns {T}
 */
export function poisoned(value, payload) {
  const closed = new Set(["key", "state", "consent", "access", "stage", "id", "root", "link", "kind", "origin", "current", "drive", "hub", "format", "evidence"]);
  /** @type {(node: any, name: string) => any} */
  const walk = (node, name) => {
    if (typeof node === "string") return closed.has(name) ? node : payload;
    if (Array.isArray(node)) return node.map((inner) => walk(inner, name));
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, walk(inner, key)]));
  };
  return walk(value, "");
}

const everything = state({
  views: { w1: view({ plan: plan({ items: ALL, stage: "hubs", asking: ["civitai"] }), planning: true, choices: {} }) },
  transfers: byId(TRANSFERS),
  speed: 84e6,
});

/** @type {Record<string, { tab: "missing" | "transfers" | "settings", state: State }>} */
export const SCENES = {
  everything: { tab: "missing", state: everything },
  certain: {
    tab: "missing",
    state: state({ views: { w1: view({ plan: plan({ items: [CERTAIN, KNOWN, CJK, HERE] }) }) } }),
  },
  choose: { tab: "missing", state: state({ views: { w1: view({ plan: plan({ items: [CHOOSE, CONFIRM] }) }) } }) },
  locked: { tab: "missing", state: state({ views: { w1: view({ plan: plan({ items: [GATED, LOGIN, EARLY, FOREIGN, PICKLE] }) }) } }) },
  many: {
    tab: "missing",
    state: state({ views: { w1: view({ plan: plan({ items: Array.from({ length: 300 }, (_, at) => nowhere(at)) }) }) } }),
  },
  done: { tab: "missing", state: state({ views: { w1: view({ plan: plan({ items: [HERE] }) }) } }) },
  unscanned: { tab: "missing", state: state({ current: null, views: {} }) },
  offline: {
    tab: "missing",
    state: state({
      status: { ...STATUS, offline: true },
      views: { w1: view({ plan: plan({ items: [NOWHERE, ELSEWHERE, HERE] }) }) },
    }),
  },
  down: {
    tab: "missing",
    state: state({
      status: { ...STATUS, hubs: [{ ...STATUS.hubs[0], state: "unreachable" }, STATUS.hubs[1]] },
      views: {
        w1: view({
          plan: plan({ items: [KNOWN, NOWHERE] }),
          skipped: [{ key: KNOWN.key, code: "no-space", message: "no space left", hint: "Make room." }],
          inspection: inspection([KNOWN, NOWHERE], "RemoteLoaderPlus"),
        }),
      },
      fault: { code: "plan-gone", message: "This plan has expired.", hint: "Look at the new one and fetch again." },
    }),
  },
  full: {
    tab: "missing",
    state: state({
      status: { ...STATUS, drives: [{ ...STATUS.drives[0], free: 2 * GB }, STATUS.drives[1]] },
      views: { w1: view({ plan: plan({ items: [CERTAIN] }) }) },
    }),
  },
  transfers: { tab: "transfers", state: everything },
  idle: { tab: "transfers", state: state({}) },
  settings: { tab: "settings", state: state({ tokens: { huggingface: { state: "bad", refused: true, message: "Hugging Face does not accept this token." } } }) },
  ...Object.fromEntries(
    PAYLOADS.map((payload, at) => [`hostile-${at}`, { tab: /** @type {const} */ ("missing"), state: hostile(payload) }]),
  ),
};

/** @param {string} payload */
function hostile(payload) {
  const base = state({
    views: { w1: view({ plan: plan({ items: ALL }), fault: { code: "x", message: "m", hint: "h" }, skipped: [{ key: "x", code: "x", message: "m", hint: "h" }], inspection: inspection(ALL, "x") }) },
    transfers: byId(TRANSFERS),
    tokens: { civitai: { state: "bad", message: "m" } },
    fault: { code: "x", message: "m", hint: "h" },
  });
  return poisoned(base, payload);
}
