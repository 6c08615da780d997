// Timers by name: setting one again puts it off, so that many changes are answered once.

export class Timers {
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #set = new Map();

  /**
   * @param {string} name
   * @param {number} delay milliseconds
   * @param {() => unknown} work
   */
  later(name, delay, work) {
    this.clear(name);
    const run = () => void (this.#set.delete(name), work());
    this.#set.set(name, setTimeout(run, delay));
  }

  /** @param {string} name */
  clear(name) {
    clearTimeout(this.#set.get(name));
    this.#set.delete(name);
  }

  /** @param {string} name */
  has(name) {
    return this.#set.has(name);
  }
}
