// How <wm-item> looks.

import { css } from "../vendor/lit.js";

export const style = css`
  :host {
    container-type: inline-size;
    display: block;
  }

  .item {
    border: 1px solid transparent;
    border-radius: var(--wm-radius);
    column-gap: 10px;
    display: grid;
    grid-template-columns: 16px minmax(0, 1fr);
    padding: 8px 10px;
  }

  .item:hover,
  .item:focus-within {
    background: color-mix(in srgb, var(--wm-card) 60%, transparent);
  }

  .mark {
    padding-top: 2px;
  }

  .body {
    display: grid;
    gap: 3px;
    grid-template-columns: minmax(0, 1fr);
  }

  .first {
    align-items: center;
    display: flex;
    gap: 8px;
  }

  .first .wm-name {
    flex: 1;
  }

  .first .size {
    flex: none;
    font-variant-numeric: tabular-nums;
  }

  .size:empty,
  .source:empty {
    display: none;
  }

  .facts {
    align-items: center;
    color: var(--wm-muted);
    display: flex;
    flex-wrap: wrap;
    font-size: 12px;
    gap: 2px 8px;
    min-width: 0;
  }

  .facts > * {
    max-width: 100%;
  }

  .place {
    overflow-wrap: anywhere;
  }

  .node {
    background: none;
    border: 0;
    border-radius: 4px;
    color: var(--wm-muted);
    cursor: pointer;
    font-size: 12px;
    margin-inline: -4px;
    max-width: 100%;
    padding: 2px 4px;
    text-decoration: underline dotted;
    text-underline-offset: 3px;
  }

  .node:hover {
    background: var(--wm-hover);
    color: var(--wm-fg);
  }

  .source {
    align-items: center;
    display: flex;
    font-size: 12px;
    gap: 8px;
    min-width: 0;
  }

  .actions {
    display: flex;
    flex-wrap: wrap;
    gap: 6px;
    padding-top: 4px;
  }

  .actions .wm-button {
    font-size: 12px;
    min-height: 26px;
  }

  .reason::first-letter {
    text-transform: uppercase;
  }

  .unfold {
    grid-column: 1 / -1;
    padding-top: 8px;
  }

  /* In a narrow panel the name has a line of its own, and the size leads the facts below it. */
  @container (max-width: 320px) {
    .body {
      align-items: center;
      display: flex;
      flex-wrap: wrap;
      gap: 3px 8px;
    }

    .body > * {
      flex: 1 0 100%;
      min-width: 0;
    }

    .first,
    .first + .facts {
      display: contents;
    }

    .first .wm-name {
      display: block;
      flex: 0 1 calc(100% - 26px);
      order: -1;
      overflow-wrap: anywhere;
      white-space: normal;
    }

    .wm-name wbr {
      display: inline;
    }

    .first .wm-link-icon {
      align-self: start;
      order: -1;
    }

    .source {
      flex-wrap: wrap;
      gap: 2px 8px;
    }

    .source > :not(.wm-chip) {
      flex: 1 1 130px;
      min-width: 0;
      overflow-wrap: anywhere;
      white-space: normal;
    }

    .source .wm-muted {
      display: inline-block; /* whole on the next line sooner than broken */
      max-width: 100%;
    }

    .body > wm-consent {
      flex-basis: calc(100% + 26px);
      margin: 3px 0 0 -26px;
    }
  }

  select {
    background: var(--wm-field);
    border: 0;
    border-radius: 4px;
    font-size: 12px;
    max-width: 100%;
    padding: 1px 2px;
  }
`;
