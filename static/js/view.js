/* What a session on a page and a run beside others have in common: their parts and turns, where their socket is, and
   what shows its messages, which is fetched once the page is connected. */

const NOT_LOADED = "A script did not load: reload the page to see what came.";

/** @typedef {import("./answering.js").Answering} Answering */

export class View {
  /** An answer ended while somebody read further up. */
  isOver = false;
  /** @type {import("./connection.js").Connection} */
  connection;
  /** @type {import("./frames.js").Frames} */
  frames;
  #fetch;
  /** @type {Promise<Answering> | undefined} */
  #answering;

  /** @param {HTMLElement} root @param {() => Promise<Answering>} fetch what shows messages */
  constructor(root, fetch) {
    this.root = root;
    this.transcript = this.part("transcript");
    this.#fetch = fetch;
  }

  /** @param {string} name @returns {any} */
  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  /** @returns {HTMLElement | null} */
  get running() {
    return this.transcript.querySelector(":scope > .is-running");
  }

  /** @param {number | string} run @returns {HTMLElement | null} */
  turn(run) {
    return this.transcript.querySelector(`:scope > [data-run="${run}"]`);
  }

  answers() {
    this.#answering ??= this.#fetch();
    this.#answering.catch(() => {
      this.#answering = undefined;
      this.connection.say(NOT_LOADED);
    });
    return this.#answering;
  }

  /** Where the socket is, and what the page shows, so that the server sends only what is missing.
   * @param {number | string} last the last run that is shown @param {(string | undefined)[]} places in streams */
  address(last, places) {
    this.frames.drop();
    const url = new URL(this.root.dataset.socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("page", "2");
    url.searchParams.set("last", String(last));
    for (const at of places) if (at) url.searchParams.append("at", at);
    return url;
  }
}
