/* A session on a page, live: its messages, the waiting counter, following the answer, and earlier turns. Everything is
   looked for below the root, so that several sessions can stand on one page. */
import { Connection } from "./connection.js";
import { Frames } from "./frames.js";
import { define } from "./kit.js";
import { Sender } from "./sending.js";
import { View } from "./view.js";

export class SessionView extends View {
  /** Where the window stood when it was led to the end. */
  startsAt = Infinity;
  /** @type {import("./end.js").End} */
  #end;
  #hadFocus;

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    super(root, async () => {
      const [{ Answering }, { End }] = await Promise.all([import("./answering.js"), import("./end.js")]);
      this.#end = new End(this, signal);
      return new Answering(this);
    });
    this.frames = new Frames({
      shower: async () => (await this.answers()).show,
      acknowledge: (count) => this.connection.send({ action: "shown", count }),
    }, signal);
    this.connection = new Connection({
      address: () => this.#address(),
      opened: () => {
        this.frames.begin();
        this.answers().then((answering) => answering.connected());
        this.sender.send();
      },
      took: (message) => this.frames.take(message),
      closed: () => this.sender.show(),
    }, this.part("connection"), signal);
    this.sender = new Sender(this);
    this.#hadFocus = document.querySelector("[data-widget~=session]") === root;
    this.#listen(signal);
    if (!window.htmx) this.connection.say("A script did not load: reload the page to see what came. Prompts are sent all the same.");
    else if (root.dataset.socket) this.connection.open();
  }

  #address() {
    const turns = [...this.transcript.querySelectorAll(":scope > article")];
    const last = Math.max(0, ...turns.map(({ dataset }) => Number(dataset.run)));
    const url = this.address(last, turns.map(({ dataset }) => dataset.at));
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
    this.answers().then(({ reader }) => reader.tell(text));
  }

  // On a phone other cards stand below: whoever reads those is not pulled back up.
  toEnd() {
    const end = this.part("end");
    if (end.getBoundingClientRect().bottom > window.innerHeight) end.scrollIntoView({ block: "end", behavior: "instant" });
    return window.scrollY;
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
    if (!location.hash) this.startsAt = this.toEnd();
  }
}

define("session", { mount: (root, { signal }) => void new SessionView(root, signal) });

define("once", {
  selector: "form[data-once]",
  mount: (form) => form.addEventListener("submit", ({ submitter }) => (submitter.disabled = true)),
});

import("./turns.js"); // a page is shown without
