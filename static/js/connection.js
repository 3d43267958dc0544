/* The socket of a session: it connects again by itself, and says how that stands. */
const LONGEST_RECONNECT_MS = 8000;
const PATIENCE_MS = 10_000; // with a connection that neither opens nor fails
const TRIES_BEFORE_BLOCKED = 2;
const BACK_SHOWN_MS = 4000;
const LOST = "Connection lost, reconnecting… What has arrived is kept.";
const BLOCKED = "No live connection: WebSockets do not get through. Send without it, and reload the page to see the answer.";
const FINAL_CLOSES = {
  4401: "You are signed out. Reload the page to sign in again.",
  4404: "This session is not there any more.",
};

/** @typedef {{address: () => string, opened: () => void, took: (message: string) => void, closed: () => void}} Page
 *  `address` is asked for each time, as it tells what the page shows by then */

export class Connection {
  /** No connection was possible at all so far. */
  isBlocked = false;
  /** @type {WebSocket | undefined} */
  #socket;
  #page;
  #banner;
  #signal;
  #timer = 0;
  #tries = 0;
  #wasLost = false;
  #wasEverOpen = false;

  /** @param {Page} page @param {HTMLElement} banner @param {AbortSignal} signal with it the connection ends */
  constructor(page, banner, signal) {
    this.#page = page;
    this.#banner = banner;
    this.#signal = signal;
    signal.addEventListener("abort", () => this.isOpen && this.#socket.close());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** @param {object} message */
  send(message) {
    this.#socket?.send(JSON.stringify(message));
  }

  /** @param {string} text nothing hides it @param {number} hideAfterMs */
  say(text, hideAfterMs = 0) {
    clearTimeout(this.#timer);
    this.#banner.hidden = text === "";
    this.#banner.classList.toggle("is-back", hideAfterMs > 0);
    this.#banner.querySelector("span").textContent = text;
    if (hideAfterMs) this.#timer = setTimeout(() => this.say(""), hideAfterMs);
  }

  /** Keep a socket open from now on. */
  open() {
    if (this.#signal.aborted) return;
    const socket = (this.#socket = new WebSocket(this.#page.address()));
    const impatience = setTimeout(() => socket.close(), PATIENCE_MS);
    socket.addEventListener("open", () => {
      clearTimeout(impatience);
      if (this.#signal.aborted) return socket.close();
      if (this.#wasLost) this.say("Connected again.", BACK_SHOWN_MS);
      this.#wasLost = this.isBlocked = false;
      this.#wasEverOpen = true;
      this.#page.opened();
    });
    socket.addEventListener("message", ({ data }) => {
      this.#tries = 0;
      this.#page.took(data);
    });
    socket.addEventListener("close", ({ code }) => {
      clearTimeout(impatience);
      if (!this.#signal.aborted) this.#lost(code);
    });
  }

  /** @param {number} code */
  #lost(code) {
    const final = FINAL_CLOSES[code];
    this.#wasLost = !final;
    this.#tries += 1;
    this.isBlocked = !this.#wasEverOpen && this.#tries >= TRIES_BEFORE_BLOCKED;
    this.say(final ?? (this.isBlocked ? BLOCKED : LOST));
    this.#page.closed();
    const longest = Math.min(LONGEST_RECONNECT_MS, 500 * 2 ** (this.#tries - 1));
    if (!final) setTimeout(() => this.open(), longest / 2 + (Math.random() * longest) / 2);
  }
}
