// How <wm-transfers> looks.

import { css } from "../vendor/lit.js";

export const style = css`
  :host {
    container-type: inline-size;
    display: flex;
    flex-direction: column;
    min-height: 0;
  }

  .top {
    border-bottom: 1px solid var(--wm-line);
    display: grid;
    gap: 8px;
    padding: 12px;
  }

  .top .wm-button {
    font-size: 12px;
    gap: 4px;
    padding: 4px 7px;
  }

  .top .wm-row {
    gap: 4px;
  }

  .top .wm-button .wm-icon {
    height: 14px;
    width: 14px;
  }

  .scroll {
    flex: 1;
    min-height: 0;
    overflow-y: auto;
    padding: 12px;
  }

  h3 {
    align-items: center;
    color: var(--wm-muted);
    display: flex;
    font-size: 12px;
    font-weight: 500;
    justify-content: space-between;
    min-height: 28px;
    padding: 0 10px;
  }

  section + section {
    margin-top: 12px;
  }

  li {
    border-radius: var(--wm-radius);
    column-gap: 10px;
    display: grid;
    grid-template-columns: 16px minmax(0, 1fr) auto;
    padding: 8px 2px 8px 10px;
    position: relative;
    row-gap: 4px;
  }

  li:hover,
  li:focus-within {
    background: color-mix(in srgb, var(--wm-card) 60%, transparent);
  }

  li.dragged {
    opacity: 0.5;
  }

  li.before::before,
  li.after::after {
    background: var(--wm-focus);
    border-radius: 2px;
    content: "";
    height: 2px;
    inset-inline: 8px;
    position: absolute;
    top: -1px;
  }

  li.after::after {
    bottom: -1px;
    top: auto;
  }

  .mark {
    padding-top: 2px;
  }

  .grip {
    background: none;
    border: 0;
    border-radius: 4px;
    color: var(--wm-muted);
    cursor: grab;
    height: 24px;
    margin: -2px -4px;
    padding: 4px;
    touch-action: none;
  }

  .body {
    display: contents;
  }

  .wm-name {
    grid-area: 1 / 2;
  }

  .body > .wm-bar,
  .body > .facts,
  .fault {
    grid-column: 2 / -1; /* below the buttons, which would make them narrow */
  }

  .facts {
    color: var(--wm-muted);
    display: flex;
    flex-wrap: wrap;
    font-size: 12px;
    font-variant-numeric: tabular-nums;
    gap: 0 8px;
    overflow-wrap: anywhere;
  }

  .acts {
    align-items: center;
    align-self: start;
    display: flex;
    grid-area: 1 / 3;
    margin-block: -4px;
  }

  .acts .wm-link-icon {
    margin: 0 4px;
  }

  /* In a narrow panel the name has a line of its own, and the buttons stand beside the facts. */
  @container (max-width: 340px) {
    .wm-name {
      display: block;
      grid-column: 2 / -1;
      overflow-wrap: anywhere;
      white-space: normal;
    }

    .wm-name wbr {
      display: inline;
    }

    .body > .facts {
      grid-column: 2;
    }

    .acts {
      grid-area: auto / 3;
      margin-inline-start: -6px;
    }

    .acts .wm-button {
      min-width: 26px;
    }

    .fault {
      grid-column: 1 / -1;
    }
  }

  @container (max-width: 250px) {
    .body > .facts,
    .acts {
      grid-column: 2 / -1;
    }
  }
`;
