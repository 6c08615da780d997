// The built-in panel's Download buttons through our server, for those who want it (off by default).
//
// Front ends from 1.45 on hand a download to `window.__comfyDesktop2.downloadModel(url, name, directory)` where
// that is; it is ComfyUI Desktop's. A real one is never replaced. Older ones do not look, and nothing happens.

/** @import { Flow } from "./flow.js" */

/**
 * @typedef {object} Bridge
 * @property {() => boolean} [isRemote]
 * @property {(url: string, name: string, directory: string) => Promise<boolean>} [downloadModel]
 * @property {boolean} [isComfywatchman]
 */

/**
 * @param {{ __comfyDesktop2?: Bridge }} window
 * @param {Pick<Flow, "fetchNamed">} flow
 */
export function offerBridge(window, flow) {
  const bridge = (window.__comfyDesktop2 ??= {});
  if (bridge.downloadModel) return;
  bridge.isComfywatchman = true;
  bridge.isRemote ??= () => false;
  // the address in the workflow is not taken: what comes is what the plan found and its consent covers
  bridge.downloadModel = (_url, name, directory) => flow.fetchNamed(name, directory);
}

/** @param {{ __comfyDesktop2?: Bridge }} window */
export function withdrawBridge(window) {
  if (window.__comfyDesktop2?.isComfywatchman) delete window.__comfyDesktop2;
}
