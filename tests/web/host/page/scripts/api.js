/** What extensions import as `scripts/api.js`: requests below /api, and events from the websocket. */

class HostApi extends EventTarget {
  clientId = crypto.randomUUID();
  /** @type {WebSocket | null} */
  socket = null;
  #fetches = 0;

  /** @param {string} route */
  apiURL(route) {
    return `/api${route}`;
  }

  /** @param {string} route */
  fileURL(route) {
    return route;
  }

  /** @param {string} route @param {RequestInit} [init] */
  fetchApi(route, init = {}) {
    this.#fetches += 1;
    const headers = new Headers(init.headers);
    headers.set("Comfy-User", "");
    return fetch(this.apiURL(route), { cache: "no-cache", ...init, headers });
  }

  /** @param {string} type @param {unknown} detail */
  dispatchCustomEvent(type, detail) {
    return this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  connect(again = false) {
    const socket = new WebSocket(`ws://${location.host}/ws?clientId=${this.clientId}`);
    this.socket = socket;
    socket.addEventListener("open", () => again && this.dispatchCustomEvent("reconnected", null));
    socket.addEventListener("message", (event) => {
      const { type, data } = JSON.parse(event.data);
      this.dispatchCustomEvent(type, data);
    });
    socket.addEventListener("close", () => setTimeout(() => this.connect(true), 300));
  }
}

export const api = new HostApi();
