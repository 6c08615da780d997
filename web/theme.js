// The look: ComfyUI's own colours through its CSS variables, with fallbacks for pages that have none.
// Old front ends lack the newer names, so each role tries the newer one, the older one, then a colour of ours.
// Signal colours are mixed with the text colour: readable on a dark ground and on a light one.

import { css } from "./vendor/lit.js";

export const theme = css`
  :host {
    --wm-fg: var(--base-foreground, var(--fg-color, light-dark(#171718, #fff)));
    --wm-ground: var(--interface-panel-surface, var(--comfy-menu-bg, light-dark(#fff, #171718)));
    --wm-muted: color-mix(
      in srgb,
      var(--muted-foreground, var(--descrip-text, light-dark(#494a50, #8a8a8a))) 75%,
      var(--wm-fg)
    );
    --wm-line: var(--interface-stroke, var(--border-color, light-dark(#d9d9d9, #494a50)));
    --wm-card: var(--secondary-background, var(--comfy-menu-secondary-bg, light-dark(#e9e9e9, #262729)));
    --wm-hover: var(--secondary-background-hover, var(--content-hover-bg, light-dark(#d9d9d9, #313235)));
    --wm-field: var(--component-node-widget-background, var(--comfy-input-bg, light-dark(#e1e1e1, #313235)));
    --wm-primary: var(--primary-background, var(--primary-bg, #0b8ce9));
    --wm-accent: color-mix(in srgb, var(--wm-primary) 78%, var(--wm-ground));
    --wm-on-accent: var(--wm-fg);
    --wm-focus: color-mix(in srgb, var(--wm-primary) 70%, var(--wm-fg));
    --wm-good: color-mix(in srgb, #00b060 57%, var(--wm-fg));
    --wm-warn: color-mix(in srgb, #e08a00 57%, var(--wm-fg));
    --wm-bad: color-mix(in srgb, #e5484d 57%, var(--wm-fg));
    --wm-info: color-mix(in srgb, #2f8ee0 57%, var(--wm-fg));
    --wm-radius: 8px;

    box-sizing: border-box;
    color: var(--wm-fg);
    font: 400 13px/1.45 Inter, system-ui, "Segoe UI", Roboto, "Noto Sans", "Noto Sans CJK SC", sans-serif;
    scrollbar-color: var(--wm-line) transparent;
    scrollbar-width: thin;
  }

  *,
  *::before,
  *::after {
    box-sizing: inherit;
  }

  [hidden] {
    display: none !important;
  }

  h2,
  h3,
  p,
  ul,
  dl,
  dd,
  fieldset {
    border: 0;
    margin: 0;
    padding: 0;
  }

  ul {
    list-style: none;
  }

  button,
  input,
  select {
    color: inherit;
    font: inherit;
  }

  a {
    color: var(--wm-info);
    text-underline-offset: 2px;
  }

  :focus-visible {
    outline: 2px solid var(--wm-focus);
    outline-offset: 1px;
  }

  .wm-link {
    align-items: center;
    display: inline-flex;
    font-size: 12px;
    gap: 6px;
  }

  .wm-link-icon {
    border-radius: 4px;
    color: var(--wm-muted);
    flex: none;
    margin: -2px -4px -2px 0;
    padding: 4px;
  }

  .wm-link-icon:hover {
    background: var(--wm-hover);
    color: var(--wm-fg);
  }

  .wm-link-icon .wm-icon {
    height: 14px;
    width: 14px;
  }

  a.wm-button {
    color: inherit;
    text-decoration: none;
  }

  .wm-button {
    align-items: center;
    background: var(--wm-card);
    border: 1px solid transparent;
    border-radius: var(--wm-radius);
    cursor: pointer;
    display: inline-flex;
    gap: 6px;
    justify-content: center;
    line-height: 1.3;
    min-height: 28px;
    padding: 4px 10px;
    text-align: start;
  }

  .wm-button:hover:not(:disabled) {
    background: var(--wm-hover);
  }

  .wm-button.primary {
    background: var(--wm-accent);
    color: var(--wm-on-accent);
    font-weight: 500;
  }

  .wm-button.primary:hover:not(:disabled) {
    background: color-mix(in srgb, var(--wm-accent) 90%, var(--wm-ground));
  }

  .wm-button.quiet {
    background: transparent;
  }

  .wm-button.quiet:hover:not(:disabled) {
    background: var(--wm-hover);
  }

  .wm-button.icon {
    flex: none;
    min-width: 28px;
    padding: 4px;
  }

  .wm-button:disabled {
    background: var(--wm-card);
    color: var(--wm-muted);
    cursor: default;
  }

  .wm-field {
    background: var(--wm-field);
    border: 1px solid transparent;
    border-radius: var(--wm-radius);
    min-height: 30px;
    min-width: 0;
    padding: 4px 10px;
    width: 100%;
  }

  .wm-field::placeholder {
    color: var(--wm-muted);
    opacity: 1;
  }

  .wm-chip {
    align-items: center;
    background: color-mix(in srgb, currentcolor 12%, transparent);
    border-radius: 999px;
    display: inline-flex;
    flex: none;
    font-size: 11px;
    gap: 4px;
    line-height: 1;
    padding: 3px 8px;
    white-space: nowrap;
  }

  .wm-good {
    color: var(--wm-good);
  }

  .wm-warn {
    color: var(--wm-warn);
  }

  .wm-bad {
    color: var(--wm-bad);
  }

  .wm-info {
    color: var(--wm-info);
  }

  .wm-muted {
    color: var(--wm-muted);
  }

  .wm-small {
    font-size: 12px;
  }

  .wm-code {
    font: 12px/1.4 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace;
    overflow-wrap: anywhere;
  }

  .wm-note {
    background: color-mix(in srgb, currentcolor 10%, transparent);
    border-radius: var(--wm-radius);
    display: flex;
    font-size: 12px;
    gap: 8px;
    overflow-wrap: anywhere;
    padding: 8px 10px;
  }

  .wm-note > .wm-icon {
    margin-top: 1px;
  }

  .wm-note > span {
    color: var(--wm-fg);
    flex: 1;
    min-width: 0;
  }

  .wm-empty {
    align-items: center;
    color: var(--wm-muted);
    display: flex;
    flex-direction: column;
    gap: 10px;
    padding: 40px 16px;
    text-align: center;
  }

  .wm-empty > .wm-icon {
    height: 28px;
    width: 28px;
  }

  .wm-row {
    align-items: center;
    display: flex;
    flex-wrap: wrap;
    gap: 6px 8px;
    min-width: 0;
  }

  .wm-grow {
    flex: 1;
    min-width: 0;
  }

  /* A long name gives way in its middle: both ends tell files apart. */
  .wm-name {
    display: flex;
    font-weight: 500;
    min-width: 0;
    overflow: hidden;
    white-space: pre;
  }

  .wm-name > span:first-child {
    overflow: hidden;
    text-overflow: ellipsis;
  }

  .wm-name > span:last-child {
    flex: none;
  }

  .wm-name wbr {
    display: none; /* only where a name has room for lines */
  }

  .wm-line {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .wm-icon {
    display: block;
    fill: none;
    flex: none;
    height: 16px;
    stroke: currentcolor;
    stroke-linecap: round;
    stroke-linejoin: round;
    stroke-width: 2;
    width: 16px;
  }

  .wm-chip .wm-icon {
    height: 12px;
    width: 12px;
  }

  .wm-hidden {
    clip-path: inset(50%);
    height: 1px;
    overflow: hidden;
    position: absolute;
    white-space: nowrap;
    width: 1px;
  }

  .wm-bar {
    background: color-mix(in srgb, var(--wm-fg) 14%, transparent);
    border-radius: 999px;
    height: 6px;
    overflow: hidden;
  }

  .wm-bar > div {
    background: var(--wm-primary);
    border-radius: inherit;
    height: 100%;
    transition: width 0.2s linear;
  }

  .wm-bar.unknown > div {
    animation: wm-slide 1.6s ease-in-out infinite;
    width: 30%;
  }

  input[type="checkbox"],
  input[type="radio"] {
    accent-color: var(--wm-primary);
    cursor: pointer;
    flex: none;
    height: 16px;
    margin: 0;
    width: 16px;
  }

  @keyframes wm-slide {
    from {
      transform: translateX(-100%);
    }

    to {
      transform: translateX(340%);
    }
  }

  @keyframes wm-turn {
    to {
      transform: rotate(1turn);
    }
  }

  .wm-turning {
    animation: wm-turn 1s linear infinite;
  }

  @media (prefers-reduced-motion: reduce) {
    .wm-bar > div {
      transition: none;
    }

    .wm-turning,
    .wm-bar.unknown > div {
      animation: none;
    }

    .wm-bar.unknown > div {
      opacity: 0.4;
      width: 100%;
    }
  }
`;

/**
 * Whether an element shows light text, so that scroll bars and menus of the browser can go with it.
 *
 * @param {Element} element
 */
export function isDark(element) {
  const [red = 0, green = 0, blue = 0] = (getComputedStyle(element).color.match(/[\d.]+/g) ?? []).map(Number);
  const scale = getComputedStyle(element).color.startsWith("color(") ? 255 : 1;
  return (0.299 * red + 0.587 * green + 0.114 * blue) * scale > 127;
}
