import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import {
  baseName, dirName, formatCount, formatDate, formatSize, formatTotal, formatWait, percentOf, previewLink, sentence, settingName, shortDigests, splitName, webLink, wordFor,
} from "../../web/format.js";
import { t } from "../../web/words.js";

const CLI = new URL("../../comfywatchman/cli/words.py", import.meta.url);

test("sizes are written as the command line writes them", () => {
  const cases = [
    [6938078334, "6.94 GB"], [999, "999 B"], [999.5, "1 kB"], [0, "0 B"], [1500, "1.5 kB"], [12e12, "12 TB"],
    [null, "unknown size"], [undefined, "unknown size"], [Number.NaN, "unknown size"],
  ];
  for (const [size, text] of cases) assert.equal(formatSize(/** @type {any} */ (size)), text);
});

test("a total says how much of it is not known", () => {
  assert.equal(formatTotal([1000, 500]), "1.5 kB");
  assert.equal(formatTotal([1000, null]), "1 kB, 1 of unknown size");
  assert.equal(formatTotal([null, null]), "size unknown");
  assert.equal(formatTotal([]), "0 B");
});

test("a wait is as coarse as it is worth, and never nothing", () => {
  const cases = [[0, "1 s"], [59, "59 s"], [61, "2 min"], [3600, "1 h 0 min"], [5000, "1 h 24 min"], [200_000, "2 days"]];
  for (const [seconds, text] of cases) assert.equal(formatWait(/** @type {number} */ (seconds)), text);
});

test("a longer wait is never written as a shorter one", () => {
  const minutes = (/** @type {string} */ text) => {
    const [number, unit, more] = text.split(" ");
    if (unit === "h") return Number(number) * 60 + Number(more);
    return Number(number) * { s: 1 / 60, min: 1, day: 1440, days: 1440 }[/** @type {"s"} */ (unit)];
  };
  let before = 0;
  for (let seconds = 0; seconds < 170_000; seconds += 37) {
    const now = minutes(formatWait(seconds));
    assert.ok(now >= before, `${seconds} s`);
    before = now;
  }
});

test("only what is whole is 100 %", () => {
  assert.equal(percentOf(999_999, 1_000_000), 99);
  assert.equal(percentOf(1_000_000, 1_000_000), 100);
  assert.equal(percentOf(2, 1), 100);
  assert.equal(percentOf(5, null), null);
  assert.equal(percentOf(5, 0), null);
});

test("dates come as seconds or ISO text; what is none is nothing", () => {
  assert.equal(formatDate("2024-08-04T09:30:00Z", "en-GB"), "4 Aug 2024");
  assert.equal(formatDate(1722763800, "en-GB"), "4 Aug 2024");
  for (const none of [null, undefined, "", "soon"]) assert.equal(formatDate(none), "");
});

test("big numbers are short", () => {
  assert.deepEqual([950, 12_345, 2_104_000].map(formatCount), ["950", "12.3k", "2.1m"]);
});

test("a name cut in two is whole when joined, whatever its script", () => {
  for (const name of ["a.safetensors", "x".repeat(80), "水墨".repeat(30), "👩🏽‍🎨".repeat(20)]) {
    assert.equal(splitName(name).join(""), name);
  }
});

test("of a path the folders stand apart from the name", () => {
  assert.deepEqual(["a.sft", "x/a.sft", "x\\y\\a.sft", "x/y/a.sft"].map(dirName), ["", "x", "x/y", "x/y"]);
  assert.deepEqual(["a.sft", "x/y\\a.sft", "C:\\x\\a.sft", "C:/x/a.sft"].map(baseName), Array(4).fill("a.sft"));
});

test("a link is one whole: it has no folder", () => {
  for (const link of ["https://civitai.com/models/1?modelVersionId=2", "hf:a/b/c.sft", "v:12", "urn:air:sdxl:lora:civitai:1@2"]) {
    assert.deepEqual([dirName(link), baseName(link)], ["", link]);
  }
});

test("of whole digests in a text the beginning stays, and nothing else changes", () => {
  const hex = "0123456789abcdef".repeat(4);
  assert.equal(
    shortDigests(`ink.sft: CivitAI publishes sha256:${hex}, autov2:0123456789, got blake3:${hex}`),
    "ink.sft: CivitAI publishes sha256:0123456789…, autov2:0123456789, got blake3:0123456789…",
  );
  assert.equal(shortDigests(`${hex}0 ${hex.slice(1)}`), `${hex}0 ${hex.slice(1)}`);
});

test("a reason becomes a sentence", () => {
  assert.deepEqual(["no digest", "Done.", "wait…", ""].map(sentence), ["No digest.", "Done.", "Wait…", ""]);
});

test("only web addresses become links", () => {
  for (const bad of [null, "", "javascript:alert(1)", "JaVaScRiPt:alert(1)", " data:text/html,x", "file:///etc/passwd", "//host/x", "not a url", "vbscript:x", "blob:https://x/y"]) {
    assert.equal(webLink(bad), null, String(bad));
  }
  assert.equal(webLink("https://civitai.com/models/1"), "https://civitai.com/models/1");
});

test("only our own server's previews are loaded", () => {
  for (const bad of [null, "https://tracker.example/x.png", "//tracker.example/x", "/comfywatchman/v1/previews/../settings", "/comfywatchman/v1/previews/a?b=c", "/comfywatchman/v1/status"]) {
    assert.equal(previewLink("", bad), null, String(bad));
  }
  assert.equal(previewLink("/sub/api", "/comfywatchman/v1/previews/ab12"), "/sub/api/comfywatchman/v1/previews/ab12");
});

test("words for evidence and access are the command line's", async () => {
  const text = (await readFile(CLI, "utf8")).replaceAll("'", "’");
  const table = (/** @type {string} */ name) =>
    [...text.matchAll(new RegExp(`${name}\\.([A-Z_]+): "([^"]*)"`, "g"))].map(([, word, said]) => [
      word.toLowerCase().replaceAll("_", "-"),
      said,
    ]);
  const evidence = table("Evidence");
  const access = table("Access");
  assert.ok(evidence.length >= 5 && access.length >= 5);
  for (const [word, said] of evidence) assert.equal(wordFor("evidence", word), said);
  for (const [word, said] of access) assert.equal(wordFor("access", word), said);
});

test("a word of a newer server stands for itself", () => {
  assert.equal(wordFor("evidence", "telepathy"), "telepathy");
  assert.equal(wordFor("evidence", null), "");
  assert.equal(wordFor("evidence", "__proto__"), "__proto__");
  assert.equal(settingName({ key: "new_thing" }), "new thing");
});

test("texts take their values as text and count in English", () => {
  assert.equal(t("missing.fetch", { count: 1, size: "2 GB" }), "Fetch 1 model · 2 GB");
  assert.equal(t("missing.fetch", { count: 3, size: "2 GB" }), "Fetch 3 models · 2 GB");
  assert.equal(t("item.relink-to", { name: "$& {name} $1" }), "Here as $& {name} $1");
});
