/* A run beside others on a page, live: its column goes on with the answer, and lets go of its connection when that is
   over. What else is said in its session does not concern it. */
import { Connection } from "./connection.js";
import { Frames } from "./frames.js";
import { define } from "./kit.js";
import "./live.js";
import { View } from "./view.js";

/** @typedef {import("./frames.js").Message} Message */

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

export class Column extends View {
  /** Nothing is sent from here. */
  sender = { show() {}, settle() {}, keepDraft() {}, restoreDraft() {} };
  #ended = new AbortController();
  /** @type {import("./following.js").Following} */
  #following;

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    super(root, async () => {
      const [{ Answering }, { Following }] = await Promise.all([import("./answering.js"), import("./following.js")]);
      this.#following = new Following(this.transcript, this.#ended.signal);
      return new Answering(this, new Ends(root.querySelector("h2").textContent.trim()));
    });
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
        const { show } = await this.answers();
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

  // To its server every run up to its own is shown already.
  #address() {
    return this.address(this.root.dataset.run, [this.running?.dataset.at]).href;
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
