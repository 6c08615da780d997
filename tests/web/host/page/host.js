/** Starts the page as ComfyUI's does: every script of every pack is imported, then the app is set up. */

import { api } from "./scripts/api.js";
import { app } from "./scripts/app.js";

Object.assign(window, { app, hostApi: api });
const theme = new URLSearchParams(location.search).get("theme");
document.documentElement.dataset.theme = theme ?? "dark";

document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  if (file) await app.handleFile(file);
});
document.getElementById("open")?.addEventListener("change", async (event) => {
  const file = /** @type {HTMLInputElement} */ (event.target).files?.[0];
  if (file) await app.handleFile(file);
});
document.getElementById("run")?.addEventListener("click", () => app.extensionManager.command.execute("Comfy.QueuePrompt"));
document
  .getElementById("settings")
  ?.addEventListener("click", () => app.extensionManager.command.execute("Comfy.ShowSettingsDialog"));

const scripts = await (await fetch("/api/extensions")).json();
for (const script of scripts) await import(script);
await app.start();
