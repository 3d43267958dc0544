/* A run beside others on a page, live: its column goes on with the answer, and lets go of its connection when that is
   over. What else is said in its session does not concern it. */
import { Connection } from "./connection.js";
import { Frames } from "./frames.js";
import { define } from "./kit.js";
import "./live.js";

/** @typedef {import("./frames.js").Message} Message */

const NOT_LOADED = "A script did not load: reload the page to see what came.";

/** Of several answers at once a screen reader hears only how each ended. */
class Ends {
  /** @param {string} name of the column */
  constructor(name) {
    this.name = name;
  }

  /** @param {string} text */
  tell(text) {
    const told = Object.assign(document.createElement("p"), { textContent: `${this.name}: ${text}` });
    document.getElementById("beside-reading")?.append(told);
  }

  begin() {}

  go() {}

  /** @param {HTMLElement} turn */
  end(turn) {
    this.tell(turn.dataset.telling);
  }
}

export class Column {
  isOver = false;
  /** Nothing is sent from here. */
  sender = { show() {}, settle() {}, keepDraft() {}, restoreDraft() {} };
  #ended = new AbortController();
  /** @type {Promise<import("./answering.js").Answering> | undefined} */
  #answering;
  /** @type {import("./following.js").Following} */
  #following;

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    this.root = root;
    this.transcript = this.part("transcript");
    // What a turn shows beside its conversation is a page of its own here.
    root.addEventListener("htmx:targetError", ({ target }) => target.href && location.assign(target.href));
    root.addEventListener("click", async ({ target }) => {
      const button = target.closest("[data-copy-answer]:not([data-copy])");
      if (button) (await import("./copying.js")).copyAnswer(button);
    }, { signal });
    if (!this.running || !window.htmx) return;
    signal.addEventListener("abort", () => this.#ended.abort());
    this.frames = new Frames({
      shower: async () => {
        const { show } = await this.#answers();
        return (messages) => this.#show(show, messages);
      },
      acknowledge: (count) => this.connection.isOpen && this.connection.send({ action: "shown", count }),
    }, this.#ended.signal);
    this.connection = new Connection({
      address: () => this.#address(),
      opened: () => this.frames.begin(),
      took: (message) => this.frames.take(message),
      closed: () => {},
    }, this.part("connection"), this.#ended.signal);
    this.connection.open();
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

  /** @param {HTMLElement | null} running */
  follow(running) {
    if (running) return;
    this.#ended.abort();
    this.connection.say("");
  }

  /** @param {string} text */
  note(text) {
    this.connection.say(text);
  }

  keepFocus() {}

  #answers() {
    const name = this.root.querySelector("h2").textContent.trim();
    this.#answering ??= Promise.all([import("./answering.js"), import("./following.js")]).then(([{ Answering }, { Following }]) => {
      this.#following = new Following(this.transcript, this.#ended.signal);
      return new Answering(this, new Ends(name));
    });
    this.#answering.catch(() => {
      this.#answering = undefined;
      this.connection.say(NOT_LOADED);
    });
    return this.#answering;
  }

  /** Where the socket is, and what the column shows. To its server every run up to its own is shown already.
   * @returns {string} */
  #address() {
    this.frames.drop();
    const url = new URL(this.root.dataset.socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("page", "2");
    url.searchParams.set("last", this.root.dataset.run);
    if (this.running) url.searchParams.set("at", this.running.dataset.at);
    return url.href;
  }

  /** Show what concerns this run; who reads at the end of the answer stays there.
   * @param {(messages: Message[]) => void} show @param {Message[]} messages */
  #show(show, messages) {
    show(messages.filter((message) => this.#isOwn(message)));
    if (this.#following.isOn) this.#following.toEnd();
  }

  /** @param {Message} message @returns {boolean} */
  #isOwn({ kind, at, run }) {
    if (kind === "held") return true;
    const about = kind === "words" || kind === "answer" ? at.slice(0, at.indexOf(":")) : run;
    return ["words", "answer", "turn", "end", "state"].includes(kind) && String(about) === this.root.dataset.run;
  }
}

define("beside", { mount: (root, { signal }) => void new Column(root, signal) });
