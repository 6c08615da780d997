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

  /* In a narrow panel the size stands below the name, which then has the whole line. */
  @container (max-width: 300px) {
    .first {
      flex-wrap: wrap;
      gap: 2px 8px;
    }

    .first .wm-name {
      display: block;
      flex-basis: 100%;
      overflow-wrap: anywhere;
      white-space: normal;
    }

    .wm-name wbr {
      display: inline;
    }

    .source {
      flex-wrap: wrap;
      gap: 2px 8px;
    }

    .source > :not(.wm-chip) {
      flex-basis: 100%;
      min-width: 0;
      overflow-wrap: anywhere;
      white-space: normal;
    }
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

  select {
    background: var(--wm-field);
    border: 0;
    border-radius: 4px;
    font-size: 12px;
    max-width: 100%;
    padding: 1px 2px;
  }
`;
