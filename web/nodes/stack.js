// A stack of LoRAs as text, a line each; the form is told in comfywatchman/stacks.py, which decides.
//
//     on | style/ink.safetensors | 0.8 | 0.5 | words: ink wash, (fog:1.1)
//
// Lines that are not understood (comments, empty ones, mistakes) are kept as they stand. Pure.

const STRONGEST = 100;

/**
 * @typedef {object} Row
 * @property {boolean} on
 * @property {string} name
 * @property {number} strength_model
 * @property {number} strength_clip
 * @property {string | null} words as written; null for all that the LoRA has
 *
 * @typedef {{ row: Row, raw?: string } | { row: null, raw: string }} Line `raw` as it was written
 */

/**
 * @param {string} text
 * @returns {Line[]}
 */
export function parseStack(text) {
  const rows = parseJson(text);
  if (rows) return rows.map((row) => ({ row }));
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines.map((raw) => ({ row: parseLine(raw.trim()), raw }));
}

/**
 * The text of lines; what was not changed stands as it was written.
 *
 * @param {readonly Line[]} lines
 */
export function printStack(lines) {
  return lines.map((line) => `${line.raw ?? printRow(/** @type {Row} */ (line.row))}\n`).join("");
}

/**
 * The text with a name in its rows replaced, be its slashes whichever.
 *
 * @param {unknown} text
 * @param {string} from
 * @param {string} to
 */
export function renameRows(text, from, to) {
  const isMeant = (/** @type {Row | null} */ row) => row?.name.trim().replaceAll("\\", "/") === from.replaceAll("\\", "/");
  const lines = parseStack(String(text ?? ""));
  if (!lines.some(({ row }) => isMeant(row))) return text;
  return printStack(lines.map((line) => (line.row && isMeant(line.row) ? { row: { ...line.row, name: to } } : line)));
}

/**
 * @param {string} name
 * @returns {Row}
 */
export function newRow(name = "") {
  return { on: true, name, strength_model: 1, strength_clip: 1, words: null };
}

/** @param {Row} row */
export function printRow(row) {
  const fields = [row.on ? "on" : "off", printName(row.name), String(row.strength_model), String(row.strength_clip)];
  return [...fields, ...(row.words === null ? [] : [`words: ${row.words}`.trim()])].join(" | ");
}

/** @param {string} name */
function printName(name) {
  const isPlain = name === name.trim() && name !== "" && !/^["#]|[|\p{Cc}\u2028\u2029]/u.test(name);
  return isPlain ? name : JSON.stringify(name);
}

/**
 * @param {string} line
 * @returns {Row | null}
 */
function parseLine(line) {
  if (line === "" || line.startsWith("#")) return null;
  const head = /^(on|off)\s*\|\s*/i.exec(line);
  const on = head?.[1].toLowerCase() !== "off";
  const named = takeName(head ? line.slice(head[0].length) : line);
  if (!named) return null;
  const { name, rest } = named;
  const [fields, words] = takeWords(rest);
  const strengths = fields.map((field) => (field === "" ? Number.NaN : Number(field)));
  if (strengths.length > 2 || strengths.some((one) => !(Math.abs(one) <= STRONGEST))) return null;
  const [strength_model = 1, strength_clip = strength_model] = strengths;
  return { on, name, strength_model, strength_clip, words };
}

/**
 * @param {string} text
 * @returns {{ name: string, rest: string | null } | null}
 */
function takeName(text) {
  const quoted = /^"(?:[^"\\]|\\.)*"/.exec(text)?.[0];
  const bar = text.indexOf("|", quoted?.length ?? 0);
  const first = (bar < 0 ? text : text.slice(0, bar)).trim();
  if (quoted !== undefined && first !== quoted) return null;
  const name = quoted === undefined ? first : unquote(quoted);
  if (!name?.trim() || (quoted === undefined && name.startsWith('"'))) return null;
  return { name, rest: bar < 0 ? null : text.slice(bar + 1) };
}

/**
 * The fields before `words:`, and what stands behind it.
 *
 * @param {string | null} rest
 * @returns {[string[], string | null]}
 */
function takeWords(rest) {
  if (rest === null) return [[], null];
  const found = /(^|\|)\s*words\s*:/i.exec(rest);
  const before = found ? rest.slice(0, found.index) : rest;
  const fields = before === "" && found ? [] : before.split("|").map((field) => field.trim());
  return [fields, found ? rest.slice(found.index + found[0].length).trim() : null];
}

/** @param {string} text @returns {string | null} */
function unquote(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * The form that programs write: a list of objects. Null for anything else.
 *
 * @param {string} text
 * @returns {Row[] | null}
 */
function parseJson(text) {
  if (!/^\s*\[\s*[{\]]/.test(text)) return null;
  try {
    return JSON.parse(text).map(readEntry);
  } catch {
    return null;
  }
}

/** @param {any} entry @returns {Row} */
function readEntry({ on = true, name, strength_model, strength_clip, words }) {
  const model = Number(strength_model ?? 1);
  return {
    on: on !== false,
    name: String(name),
    strength_model: model,
    strength_clip: Number(strength_clip ?? model),
    words: Array.isArray(words) ? JSON.stringify(words) : null,
  };
}
