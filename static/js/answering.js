/* What messages do to a session on a page: they go on with an answer, bring turns, and whatever stands beside them.
   Fetched once the page is shown and connected. */
import { mountIn, unmountIn } from "./kit.js";
import { Reader } from "./reading.js";

/**
 * @typedef {import("./frames.js").Message} Message
 * @typedef {{root: HTMLElement, transcript: HTMLElement, isOver: boolean, readonly running: HTMLElement | null,
 *   part: (name: string) => any, turn: (run: number | string) => HTMLElement | null, follow: (running: HTMLElement | null) => void,
 *   keepFocus: (isLost: boolean) => void, note: (text: string) => void,
 *   sender: {show: () => void, settle: (key: string, isTaken: boolean) => void, keepDraft: () => void, restoreDraft: () => void}}} View
 * @typedef {{tell: (text: string) => void, begin: (turn: HTMLElement) => void, go: (turn: HTMLElement) => void,
 *   end: (turn: HTMLElement) => void}} Telling
 */

const HELD = "The answer is over, but the database does not take its end yet. Loom keeps trying.";

/** @param {Message} message @returns {string} */
const runOf = ({ at = "" }) => at.slice(0, at.indexOf(":"));

/** What has to be done of some messages: an open end that another one replaces is left out, and the words behind it.
 * @param {Message[]} messages @returns {Message[]} */
function merged(messages) {
  const newest = messages.findLastIndex(({ kind }) => kind === "answer");
  const isNewer = (message, place) => place >= newest || runOf(message) !== runOf(messages[newest]);
  return messages.flatMap((message, place) => {
    if (isNewer(message, place)) return message;
    if (message.kind === "answer") return { ...message, html: undefined }; // what it closed stays closed
    return message.kind === "words" ? [] : message;
  });
}

/** @param {string} html @returns {HTMLElement} */
function elementOf(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

/** @param {Element} old @param {HTMLElement} element which takes its place, with the steps open that were open */
function replace(old, element) {
  for (const { dataset } of old.querySelectorAll("details[open][data-step]")) {
    element.querySelector(`[data-step="${dataset.step}"]`)?.setAttribute("open", "");
  }
  unmountIn(old);
  old.replaceWith(element);
  settle(element);
}

/** @param {HTMLElement} element which is new on the page */
function settle(element) {
  window.htmx.process(element);
  mountIn(element);
}

export class Answering {
  #view;
  /** The turn that messages go on with, and what of it they change.
   * @type {{turn: HTMLElement, output: HTMLElement, tail: HTMLElement, growth: HTMLElement | null} | null} */
  #open = null;
  #waiting = "";
  #wasConnected = false;

  /** @param {View} view @param {Telling} reader */
  constructor(view, reader = new Reader(view.part("reading"), view.part("reading-choice"))) {
    this.#view = view;
    this.reader = reader;
    if (view.running) this.reader.begin(view.running);
    this.#waiting = this.#whatWaits();
    view.root.addEventListener("htmx:afterSettle", () => {
      const waiting = this.#whatWaits();
      if (waiting !== this.#waiting) this.reader.tell(waiting);
      this.#waiting = waiting;
    });
  }

  /** @returns {string} how many prompts wait or are held, in words */
  #whatWaits() {
    return this.#view.part("ahead")?.querySelector("p:not(.field-error)")?.firstChild.textContent.trim() ?? "";
  }

  /** @type {Record<string, (message: Message) => void>} */
  #kinds = {
    words: (message) => this.#extend(message),
    answer: (message) => this.#extend(message),
    turn: ({ html, run }) => this.#putTurn(html, run),
    end: ({ html, run, number }) => {
      this.#putTurn(html, run);
      this.#say("finished", { number });
    },
    state: ({ html, run }) => {
      const state = this.#view.turn(run)?.querySelector("[data-part=state]");
      if (state) replace(state, elementOf(html));
    },
    environment: ({ html }) => replace(this.#view.part("environment"), elementOf(html)),
    composer: ({ html }) => this.#putComposer(html),
    accepted: ({ key }) => this.#view.sender.settle(key, true),
    refused: ({ key }) => this.#view.sender.settle(key, false),
    held: () => this.#view.note(HELD),
  };

  /** There is a connection: what was typed ahead may have changed while there was none, which no message tells. */
  connected() {
    if (this.#wasConnected) this.#say("prompts", {});
    this.#wasConnected = true;
  }

  /** @param {Message[]} messages that came since the last painted frame */
  show = (messages) => {
    for (const message of merged(messages)) {
      const act = this.#kinds[message.kind];
      if (act) act(message);
      else this.#say(message.kind, message);
    }
    const { running } = this.#view;
    if (running) this.reader.go(running);
    this.#view.follow(running);
  };

  /** @param {string} kind @param {object} detail */
  #say(kind, detail) {
    this.#view.root.dispatchEvent(new CustomEvent(`loom:${kind}`, { detail, bubbles: true }));
  }

  /** Go on with an answer. @param {Message} message */
  #extend({ kind, at, html, closed, steps }) {
    const run = at.slice(0, at.indexOf(":"));
    if (this.#open?.turn.dataset.run !== run) {
      const turn = this.#view.turn(run);
      if (!turn) return;
      const [output, tail] = turn.querySelectorAll("[data-part=output], [data-part=tail]");
      this.#open = { turn, output, tail, growth: tail.querySelector("[id$='-growth']") };
    }
    const { turn, output, tail, growth } = this.#open;
    if (kind === "words") {
      growth?.insertAdjacentHTML("beforeend", html);
    } else {
      if (steps) this.#putSteps(turn, steps);
      if (closed) {
        output.insertAdjacentHTML("beforeend", closed);
        mountIn(output);
      }
      if (html !== undefined) {
        tail.innerHTML = html;
        this.#open.growth = tail.querySelector("[id$='-growth']");
      }
    }
    turn.dataset.at = at;
  }

  /** @param {HTMLElement} turn @param {string} html */
  #putSteps(turn, html) {
    for (const step of [...elementOf(`<div>${html}</div>`).children]) {
      const old = turn.querySelector(`[data-step="${step.dataset.step}"]`);
      step.open = old?.open ?? false;
      old?.replaceWith(step);
    }
  }

  /** @param {string} html @param {number} run */
  #putTurn(html, run) {
    const turn = elementOf(html);
    const old = this.#view.turn(run);
    this.#open = null;
    if (old) {
      replace(old, turn);
    } else {
      this.#view.transcript.append(turn);
      settle(turn);
      this.#say("began", { run });
    }
    if (turn.classList.contains("is-running")) {
      this.reader.begin(turn);
    } else {
      this.reader.end(turn);
      this.#view.isOver = true;
    }
    this.#view.sender.show(); // its Resend waits while another prompt is on its way
  }

  /** @param {string} html */
  #putComposer(html) {
    this.#view.sender.keepDraft();
    replace(this.#view.part("composer"), elementOf(html));
    this.#view.sender.restoreDraft();
    this.#view.keepFocus(false);
  }

}
