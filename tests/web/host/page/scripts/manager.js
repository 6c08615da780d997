/** `app.extensionManager`: sidebar tabs, toasts, dialogs, settings, commands, workflows. */

export class ExtensionManager {
  /** @param {import("./app.js").HostApp} app */
  constructor(app) {
    this.app = app;
    this.sidebarTab = new Sidebar();
    this.toast = new Toasts();
    this.dialog = new Dialogs();
    this.command = new Commands();
    this.setting = new Settings();
    this.workflow = new Workflows();
    this.command.register({
      id: "Comfy.QueuePrompt",
      label: "Run",
      function: () => app.queuePrompt(0),
    });
    this.command.register({ id: "Comfy.Undo", label: "Undo", function: () => app.tracker.undo() });
    this.command.register({ id: "Comfy.ShowSettingsDialog", label: "Settings", function: () => this.setting.show() });
    document.addEventListener("keydown", (event) => this.command.press(event));
  }

  /** @param {any} tab */
  registerSidebarTab(tab) {
    const kept = this.sidebarTab.registerSidebarTab(tab);
    this.command.register({
      id: `Workspace.ToggleSidebarTab.${tab.id}`,
      label: `Toggle ${tab.title}`,
      function: () => this.sidebarTab.toggle(kept.id),
    });
  }

  /** What an extension brings in its own members. @param {any} extension */
  adopt(extension) {
    for (const command of extension.commands ?? []) this.command.register(command);
    for (const binding of extension.keybindings ?? []) this.command.bindings.push(binding);
    for (const setting of extension.settings ?? []) this.setting.register(setting);
    for (const button of extension.actionBarButtons ?? []) addActionButton(button);
  }

  /** @param {MouseEvent} event @param {any[]} items */
  showMenu(event, items) {
    document.querySelector(".menu")?.remove();
    const menu = document.createElement("div");
    menu.className = "menu";
    menu.setAttribute("role", "menu");
    menu.style.left = `${event.clientX}px`;
    menu.style.top = `${event.clientY}px`;
    for (const item of items.filter(Boolean)) {
      const button = document.createElement("button");
      button.setAttribute("role", "menuitem");
      button.textContent = item.content;
      button.addEventListener("click", () => {
        menu.remove();
        item.callback?.();
      });
      menu.append(button);
    }
    document.body.append(menu);
  }
}

class Sidebar {
  constructor() {
    /** @type {any[]} */
    this.sidebarTabs = [];
    /** @type {string | null} */
    this.active = null;
  }

  /** A changed badge is drawn at once, as the reactive tab of the front end does. @param {any} tab */
  registerSidebarTab(tab) {
    const button = document.createElement("button");
    button.dataset.testid = `${tab.id}-tab-button`;
    button.title = tab.tooltip ?? tab.title;
    const icon = document.createElement("i");
    icon.className = tab.icon;
    const label = document.createElement("span");
    label.textContent = tab.label ?? tab.title;
    const badge = document.createElement("b");
    badge.className = "badge";
    button.append(icon, label, badge);
    const draw = () => {
      const text = typeof kept.iconBadge === "function" ? kept.iconBadge() : kept.iconBadge;
      badge.textContent = text ?? "";
      badge.hidden = !text;
    };
    const kept = new Proxy(tab, {
      set: (target, key, value) => {
        target[key] = value;
        draw();
        return true;
      },
    });
    draw();
    button.addEventListener("click", () => this.toggle(tab.id));
    document.getElementById("sidebar-buttons")?.append(button);
    this.sidebarTabs.push(kept);
    return kept;
  }

  /** @param {string} id */
  toggle(id) {
    const place = /** @type {HTMLElement} */ (document.getElementById("sidebar-panel"));
    const before = this.sidebarTabs.find((tab) => tab.id === this.active);
    if (before) {
      place.replaceChildren();
      before.destroy?.();
    }
    this.active = this.active === id ? null : id;
    place.hidden = this.active === null;
    const tab = this.sidebarTabs.find((one) => one.id === this.active);
    if (!tab) return;
    const element = document.createElement("div");
    element.className = "tab-body";
    place.append(element);
    tab.render(element);
    tab.render(element); // the front end's ref callback may come twice
  }
}

class Toasts {
  constructor() {
    /** @type {any[]} */
    this.shown = [];
  }

  /** @param {any} message */
  add(message) {
    this.shown.push(message);
    const toast = document.createElement("div");
    toast.className = `toast ${message.severity}`;
    toast.setAttribute("role", "status");
    const title = document.createElement("strong");
    title.textContent = message.summary ?? "";
    const text = document.createElement("span");
    text.textContent = message.detail ?? "";
    toast.append(title, text);
    if (message.action) {
      const button = document.createElement("button");
      button.textContent = message.action.label;
      button.addEventListener("click", () => {
        toast.remove();
        message.action.onClick();
      });
      toast.append(button);
    }
    document.getElementById("toasts")?.append(toast);
    setTimeout(() => toast.remove(), message.life ?? 8000);
  }

  /** As in 1.57 and newer. @param {string} title @param {any} options */
  info(title, options = {}) {
    this.add({ severity: "info", summary: title, detail: options.description, life: options.duration, action: options.action });
  }
}

class Dialogs {
  /** @param {any} given @returns {Promise<boolean | null>} */
  confirm({ title, message, itemList = [], hint = "" }) {
    const dialog = document.createElement("dialog");
    const heading = document.createElement("h2");
    heading.textContent = title;
    const text = document.createElement("p");
    text.textContent = message;
    const list = document.createElement("ul");
    for (const item of itemList) {
      const row = document.createElement("li");
      row.textContent = item;
      list.append(row);
    }
    const small = document.createElement("small");
    small.textContent = hint;
    const yes = document.createElement("button");
    yes.textContent = "Confirm";
    const no = document.createElement("button");
    no.textContent = "Cancel";
    dialog.append(heading, text, list, small, no, yes);
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      /** @param {boolean | null} answer */
      const end = (answer) => {
        dialog.remove();
        resolve(answer);
      };
      yes.addEventListener("click", () => end(true));
      no.addEventListener("click", () => end(false));
      dialog.addEventListener("cancel", () => end(null));
    });
  }
}

class Commands {
  constructor() {
    /** @type {any[]} */
    this.commands = [];
    /** @type {any[]} */
    this.bindings = [];
  }

  /** @param {any} command */
  register(command) {
    this.commands.push(command);
  }

  /** @param {string} id */
  async execute(id) {
    const command = this.commands.find((one) => one.id === id);
    if (!command) throw new Error(`Command ${id} not found`);
    return command.function();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.target instanceof Element && event.target.closest("input, textarea, select")) return;
    const bound = this.bindings.find(
      ({ combo }) =>
        combo.key.toLowerCase() === event.key.toLowerCase() &&
        Boolean(combo.ctrl) === (event.ctrlKey || event.metaKey) &&
        Boolean(combo.shift) === event.shiftKey &&
        Boolean(combo.alt) === event.altKey,
    );
    if (!bound) return;
    event.preventDefault();
    void this.execute(bound.commandId);
  }
}

class Settings {
  constructor() {
    /** @type {any[]} */
    this.rows = [];
    /** @type {Record<string, unknown>} */
    this.values = JSON.parse(localStorage.getItem("host.settings") ?? "{}");
  }

  /** @param {any} row */
  register(row) {
    this.rows.push(row);
    row.onChange?.(this.get(row.id), undefined);
  }

  /** @param {string} id */
  get(id) {
    return this.values[id] ?? this.rows.find((row) => row.id === id)?.defaultValue;
  }

  /** @param {string} id @param {unknown} value */
  async set(id, value) {
    const old = this.get(id);
    this.values[id] = value;
    localStorage.setItem("host.settings", JSON.stringify(this.values));
    this.rows.find((row) => row.id === id)?.onChange?.(value, old);
  }

  show() {
    const dialog = document.createElement("dialog");
    dialog.className = "settings";
    const heading = document.createElement("h2");
    heading.textContent = "Settings";
    dialog.append(heading);
    for (const row of this.rows) {
      const line = document.createElement("div");
      line.className = "setting";
      const name = document.createElement("label");
      name.textContent = row.name;
      line.append(name, this.#field(row));
      dialog.append(line);
    }
    const close = document.createElement("button");
    close.textContent = "Close";
    close.addEventListener("click", () => dialog.remove());
    dialog.append(close);
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {any} row @returns {HTMLElement} */
  #field(row) {
    if (typeof row.type === "function") {
      return row.type(row.name, (/** @type {unknown} */ value) => this.set(row.id, value), this.get(row.id), row.attrs);
    }
    const input = document.createElement("input");
    if (row.type === "boolean") {
      input.type = "checkbox";
      input.checked = Boolean(this.get(row.id));
      input.addEventListener("change", () => this.set(row.id, input.checked));
    } else {
      input.value = String(this.get(row.id) ?? "");
      input.addEventListener("change", () => this.set(row.id, input.value));
    }
    return input;
  }
}

class Workflows {
  constructor() {
    /** @type {any} */
    this.activeWorkflow = null;
    this.count = 0;
  }

  /** @param {string} name */
  open(name) {
    this.count += 1;
    const path = `workflows/${name}.json`;
    this.activeWorkflow = { key: `${name}.json`, path, filename: name };
  }
}

/** @param {any} given */
function addActionButton({ icon, label, tooltip, onClick }) {
  const button = document.createElement("button");
  const image = document.createElement("i");
  image.className = icon;
  button.append(image, label ?? "");
  button.title = tooltip ?? "";
  button.addEventListener("click", onClick);
  document.getElementById("actions")?.prepend(button);
}
