import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import test from "node:test";
import { TARGET, bundleLit } from "./vendor-lit.js";

const WEB = new URL("../../web/", import.meta.url);

test("the vendored file is the one that its README names", async () => {
  const readme = await readFile(new URL("vendor/README.md", WEB), "utf8");
  const sha256 = createHash("sha256").update(await readFile(TARGET)).digest("hex");
  assert.ok(readme.includes(`\`${sha256}\``), `sha256 of lit.js is ${sha256}`);
});

test("the pinned packages give the vendored file again", async () => {
  assert.equal(await bundleLit(), await readFile(TARGET, "utf8"), "run `npm run vendor` and write the sha256 into web/vendor/README.md");
});

test("the vendored version is the one that its README names", async () => {
  const lock = JSON.parse(await readFile(new URL("package-lock.json", import.meta.url), "utf8"));
  const readme = await readFile(new URL("vendor/README.md", WEB), "utf8");
  assert.ok(readme.includes(`| ${lock.packages["node_modules/lit"].version} |`));
});

test("the lock binds packages by their digests and to no registry", async () => {
  const { packages } = JSON.parse(await readFile(new URL("package-lock.json", import.meta.url), "utf8"));
  for (const [name, entry] of Object.entries(packages)) {
    if (name) assert.ok(entry.integrity && !entry.resolved, name);
  }
});

test("pages load nothing from elsewhere and make no markup of strings", async () => {
  for (const name of await readdir(WEB, { recursive: true })) {
    if (!name.endsWith(".js") || name.startsWith("vendor")) continue;
    const text = await readFile(new URL(name, WEB), "utf8");
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|unsafeHTML|document\.write|\beval\(|new Function/, name);
    assert.doesNotMatch(text, /(?:import|from)\s*\(?\s*["']https?:/, name);
    if (name.startsWith("elements")) assert.doesNotMatch(text, /scripts\/(?:app|api)\.js/, name);
  }
});
