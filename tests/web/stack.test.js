// nodes/stack.js: what comfywatchman/stacks.py reads, and nothing lost of what it does not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { newRow, parseStack, printRow, printStack } from "../../web/nodes/stack.js";

const ROWS = /** @type {const} */ ([
  ["ink.safetensors", { on: true, name: "ink.safetensors", strength_model: 1, strength_clip: 1, words: null }],
  ["off | v:2247497 | 1 | 0.5", { on: false, name: "v:2247497", strength_model: 1, strength_clip: 0.5, words: null }],
  ["a.sft | 0.5 | words: ink, (fog:1.1)", { on: true, name: "a.sft", strength_model: 0.5, strength_clip: 0.5, words: "ink, (fog:1.1)" }],
  ["a.sft | words:", { on: true, name: "a.sft", strength_model: 1, strength_clip: 1, words: "" }],
  ["ON|a.sft|-2", { on: true, name: "a.sft", strength_model: -2, strength_clip: -2, words: null }],
  ['"a|b.sft" | 2', { on: true, name: "a|b.sft", strength_model: 2, strength_clip: 2, words: null }],
  ["on", { on: true, name: "on", strength_model: 1, strength_clip: 1, words: null }],
]);

const KEPT = ["", "# a remark", "a.sft | strong", "a.sft | 1 | 2 | 3", '"open | 1', "| 1", "a.sft | 101"];

for (const [text, row] of ROWS) {
  test(`parseStack: ${text}`, () => assert.deepEqual(parseStack(text)[0].row, row));
  test(`printRow and parseStack are each other's inverse: ${text}`, () =>
    assert.deepEqual(parseStack(printRow(row))[0].row, row));
}

for (const text of KEPT) {
  test(`parseStack: a line that is no row is kept: ${JSON.stringify(text)}`, () => {
    const lines = parseStack(`${text}\nink.sft\n`);
    assert.equal(lines[0].row, null);
    assert.equal(printStack(lines), `${text}\nink.sft\n`);
  });
}

test("printStack: only a changed line is written anew", () => {
  const lines = parseStack("# mine\n  a.sft|.5\nb.sft\n");
  const changed = lines.map((line, at) => (at === 2 && line.row ? { row: { ...line.row, on: false } } : line));
  assert.equal(printStack(changed), "# mine\n  a.sft|.5\noff | b.sft | 1 | 1\n");
});

test("parseStack: the list that programs write", () => {
  const [line] = parseStack('[{"name": "a.sft", "strength_model": 0.5, "words": ["ink, wash"]}]');
  assert.deepEqual(line.row, { ...newRow("a.sft"), strength_model: 0.5, strength_clip: 0.5, words: '["ink, wash"]' });
});

test("parseStack: nothing is no rows", () => assert.deepEqual(parseStack(""), []));
