// Bundles the parts of Lit that web/ uses into one file: web/vendor/lit.js.
//
//     npm ci && npm run vendor        (in tests/web)
//
// The same lit and esbuild give the same bytes; lit.test.js bundles again and compares.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PARTS = `
export { LitElement, css, html, nothing, svg } from "lit";
export { classMap } from "lit/directives/class-map.js";
export { live } from "lit/directives/live.js";
export { repeat } from "lit/directives/repeat.js";
`;

export const TARGET = new URL("../../web/vendor/lit.js", import.meta.url);

/** The bundle's text. */
export async function bundleLit() {
  const made = await build({
    stdin: { contents: PARTS, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    legalComments: "eof",
    write: false,
  });
  return made.outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(TARGET, await bundleLit());
}
