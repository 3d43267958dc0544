/* Messages of a session's socket, shown once per painted frame, however many came. What was shown is acknowledged, so that
   a slow page is sent fewer and larger messages. */

/**
 * @typedef {{kind: string, at?: string, run?: number, number?: number, key?: string, html?: string, closed?: string,
 *   steps?: string}} Message as apps/sessions/viewing/frames.py writes it
 */

const ACKNOWLEDGED_AFTER = 6000; // characters; see apps/sessions/viewing/credit.py
const HIDDEN_MS = 250; // a page that nobody sees paints no frames

export class Frames {
  /** @type {Message[]} */
  #waiting = [];
  #isDue = false;
  #count = 0;
  #size = 0;
  #page;

  /** @param {{shower: () => Promise<(messages: Message[]) => void>, acknowledge: (count: number) => void}} page is told how many came so far
   *  @param {AbortSignal} signal */
  constructor(page, signal) {
    this.#page = page;
    document.addEventListener("visibilitychange", () => this.#flush(), { signal });
  }

  /** A new connection: messages are counted anew. */
  begin() {
    this.#count = this.#size = 0;
  }

  /** Forget what waits to be shown: the page tells what it shows, and is sent the rest again. */
  drop() {
    this.#waiting = [];
  }

  /** @param {string} message */
  take(message) {
    this.#waiting.push(JSON.parse(message));
    this.#count += 1;
    this.#size += message.length;
    if (this.#isDue) return;
    this.#isDue = true;
    if (document.hidden) setTimeout(() => this.#flush(), HIDDEN_MS);
    else requestAnimationFrame(() => this.#flush());
  }

  async #flush() {
    this.#isDue = false;
    const show = await this.#page.shower(); // which has to be fetched at first
    const messages = this.#waiting;
    this.#waiting = [];
    if (messages.length) show(messages);
    if (this.#size < ACKNOWLEDGED_AFTER) return;
    this.#size = 0;
    this.#page.acknowledge(this.#count);
  }
}
