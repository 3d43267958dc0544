/* A session on a page, live: its messages, the waiting counter, following the answer, and earlier turns. Everything is
   looked for below the root, so that several sessions can stand on one page. */
import { Connection } from "./connection.js";
import { Frames } from "./frames.js";
import { define } from "./kit.js";
import { Sender } from "./sending.js";

/** @typedef {import("./frames.js").Message} Message */

const NOT_LOADED = "A script did not load: reload the page to see what came.";

export class SessionView {
  /** An answer ended while somebody read further up. */
  isOver = false;
  /** Where the window stood when it was led to the end. */
  startsAt = Infinity;
  /** @type {Promise<import("./answering.js").Answering> | undefined} */
  #answering;
  /** @type {import("./end.js").End} */
  #end;
  #hadFocus;

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    this.root = root;
    this.signal = signal;
    this.transcript = this.part("transcript");
    this.frames = new Frames({
      shower: async () => (await this.#answers()).show,
      acknowledge: (count) => this.connection.send({ action: "shown", count }),
    }, signal);
    this.connection = new Connection({
      address: () => this.#address(),
      opened: () => {
        this.frames.begin();
        this.#answers();
        this.sender.send();
      },
      took: (message) => this.frames.take(message),
      closed: () => this.sender.show(),
    }, this.part("connection"), signal);
    this.sender = new Sender(this);
    this.#hadFocus = document.querySelector("[data-widget~=session]") === root;
    this.#listen(signal);
    if (!window.htmx) this.connection.say(`${NOT_LOADED} Prompts are sent all the same.`);
    else if (root.dataset.socket) this.connection.open();
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

  /** What shows messages: fetched once the page is connected. */
  #answers() {
    this.#answering ??= Promise.all([import("./answering.js"), import("./end.js")]).then(([{ Answering }, { End }]) => {
      this.#end = new End(this, this.signal);
      return new Answering(this);
    });
    this.#answering.catch(() => {
      this.#answering = undefined;
      this.connection.say(NOT_LOADED);
    });
    return this.#answering;
  }

  /** Where the socket is, and what this page shows, so that the server sends only what is missing.
   * @returns {string} */
  #address() {
    this.frames.drop();
    const url = new URL(this.root.dataset.socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("page", "2");
    const turns = [...this.transcript.querySelectorAll(":scope > article")];
    url.searchParams.set("last", String(Math.max(0, ...turns.map(({ dataset }) => Number(dataset.run)))));
    for (const { dataset } of turns) if (dataset.at) url.searchParams.append("at", dataset.at);
    url.searchParams.set("environment", this.part("environment").dataset.state);
    return url.href;
  }

  /* --- the composer --- */

  /** Composer and window follow what is shown now.
   * @param {HTMLElement | null} running */
  follow(running) {
    this.#followRun(running?.dataset.run ?? "0");
    this.#end.follow();
  }

  /** Send where nothing runs, else Stop.
   * @param {string} run */
  #followRun(run) {
    const composer = this.part("composer");
    if (!composer || composer.dataset.running === run) return;
    const isOnButton = document.activeElement.matches("button") && composer.contains(document.activeElement);
    composer.dataset.running = run;
    const prompt = this.part("prompt");
    prompt.placeholder = JSON.parse(prompt.dataset.placeholders)[run === "0" ? 0 : 1];
    this.part("stop").elements.invocation.value = run;
    this.note("");
    this.keepFocus(isOnButton);
  }

  /** What had the focus is gone or disabled: who was typing here goes on.
   * @param {boolean} isLost */
  keepFocus(isLost) {
    if (!isLost && !(this.#hadFocus && document.activeElement === document.body)) return;
    const isJson = this.part("composer")?.querySelector("input[value=json]:checked");
    this.part(isJson ? "payload" : "prompt")?.focus({ preventScroll: true });
  }

  /** @param {string} text */
  note(text) {
    const note = this.part("note");
    if (!note) return;
    note.textContent = text;
    this.#answers().then(({ reader }) => reader.tell(text));
  }

  // On a phone other cards stand below: whoever reads those is not pulled back up.
  toEnd() {
    const end = this.part("end");
    if (end.getBoundingClientRect().bottom > window.innerHeight) end.scrollIntoView({ block: "end", behavior: "instant" });
    return window.scrollY;
  }

  // A link may lead to a turn that is not loaded yet: load until it is there.
  #findTarget() {
    if (!/^#invocation-\d+$/.test(location.hash)) return;
    const target = this.transcript.querySelector(location.hash);
    if (target) target.scrollIntoView({ block: "start" });
    else this.transcript.querySelector(".earlier a")?.click();
  }

  /* --- keys and buttons --- */

  /** @param {AbortSignal} signal */
  #listen(signal) {
    const { root } = this;
    document.addEventListener("focusin", ({ target }) => (this.#hadFocus = root.contains(target)), { signal });
    root.addEventListener("loom:send", (event) => {
      if (event.target.readOnly) event.preventDefault();
    });
    root.addEventListener("loom:over", () => this.note("The answer was complete before it could be stopped."));
    this.transcript.addEventListener("htmx:afterSettle", () => this.#findTarget());
    window.addEventListener("hashchange", () => this.#findTarget(), { signal });
    if (location.hash) document.addEventListener("DOMContentLoaded", () => this.#findTarget(), { signal });
    else this.startsAt = this.toEnd();
  }
}

define("session", { mount: (root, { signal }) => void new SessionView(root, signal) });

define("once", {
  selector: "form[data-once]",
  mount: (form) => form.addEventListener("submit", ({ submitter }) => (submitter.disabled = true)),
});

import("./turns.js"); // a page is shown without
