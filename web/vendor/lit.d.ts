// The types of lit.js, for `tsc --checkJs` alone; the packages are devDependencies of tests/web.
export { LitElement, css, html, nothing, svg } from "lit";
export type { CSSResultGroup, PropertyValues, SVGTemplateResult, TemplateResult } from "lit";
export { classMap } from "lit/directives/class-map.js";
export { live } from "lit/directives/live.js";
export { repeat } from "lit/directives/repeat.js";
