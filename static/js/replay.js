/* The replay of one run, or of two in step: what arrived until the instant that the clock or the scrubber says. */
import { Clock, countUntil, Film, LONG_GAP_MS, Times } from "./film.js";
import { define } from "./kit.js";
import { announce } from "./telling.js";

const MOST_AT_ONCE = 16_000; // characters of HTML that are put onto the page between two paints
const CALM_MS = 500; // between two changes for who asked for less motion
const TOLD_EVERY_MS = 1000;
const [SLOWEST, FASTEST] = [0.05, 100];

/** @param {number} ms @returns {string} */
function timeText(ms) {
  const [minutes, seconds] = [Math.floor(ms / 60_000), (ms % 60_000) / 1000];
  return minutes ? `${minutes} min ${seconds.toFixed(1)} s` : `${seconds.toFixed(2)} s`;
}

/** One run: its film, and as much of it as the page shows. */
class Column {
  /** Which step shows which of its versions. @type {Map<number, {element: HTMLDetailsElement, version: number}>} */
  #steps = new Map();
  /** How many nodes there are with each part. @type {number[]} */
  #ends = [];
  #tailVersion = 0;
  /** How many frames are shown. */
  count = 0;

  /** @param {HTMLElement} root @param {Film} film @param {(pane: Element) => import("./following.js").Following} follow */
  constructor(root, film, follow) {
    this.film = film;
    this.root = root;
    this.pane = root.querySelector("[data-part=answer]");
    this.output = root.querySelector("[data-part=output]");
    this.tail = root.querySelector("[data-part=tail]");
    this.output.replaceChildren();
    this.tail.replaceChildren();
    this.following = follow(this.pane);
  }

  /** Show what is due; a part of it where that is much. Whether it is all of it.
   * @param {number} at @returns {boolean} */
  show(at) {
    const goal = this.film.due(at);
    const end = this.root.querySelector("[data-part=end]");
    if (end) end.hidden = at < this.film.lengthMs;
    if (goal === this.count) return true;
    this.#takeBack(this.film.partCount(goal));
    const isWhole = this.#append(this.film.partCount(goal));
    this.count = isWhole ? goal : this.film.parts[this.#ends.length].frame;
    this.#showSteps();
    this.#showTail();
    if (isWhole && this.following.isOn) this.following.toEnd();
    return isWhole;
  }

  /** Leave out every part from this one on. @param {number} partCount */
  #takeBack(partCount) {
    if (partCount >= this.#ends.length) return;
    for (const { step } of this.film.parts.slice(partCount, this.#ends.length)) this.#steps.delete(step);
    const range = document.createRange();
    range.setStart(this.output, this.#ends[partCount - 1] ?? 0);
    range.setEnd(this.output, this.output.childNodes.length);
    range.deleteContents();
    this.#ends.length = partCount;
  }

  /** @param {number} partCount @returns {boolean} */
  #append(partCount) {
    const more = document.createDocumentFragment();
    let [size, nodes] = [0, this.output.childNodes.length];
    while (this.#ends.length < partCount && size < MOST_AT_ONCE) {
      const { step, html } = this.film.parts[this.#ends.length];
      const { content } = Object.assign(document.createElement("template"), { innerHTML: html });
      if (step) this.#steps.set(step, { element: content.firstElementChild, version: 0 });
      size += html.length;
      nodes += content.childNodes.length;
      this.#ends.push(nodes);
      more.append(content);
    }
    this.output.append(more);
    return this.#ends.length === partCount;
  }

  #showSteps() {
    for (const [number, shown] of this.#steps) {
      const changing = this.film.steps.get(number);
      const version = changing.version(this.count);
      if (version === shown.version) continue;
      const template = Object.assign(document.createElement("template"), { innerHTML: changing.text(version) });
      const element = template.content.firstElementChild;
      element.open = shown.element.open;
      shown.element.replaceWith(element);
      this.#steps.set(number, { element, version });
    }
  }

  #showTail() {
    const version = this.film.tail.version(this.count);
    if (version === this.#tailVersion) return;
    this.tail.innerHTML = this.film.tail.text(version);
    this.#tailVersion = version;
  }
}

class Replay {
  /** @type {Column[]} */
  #columns = [];
  /** @type {number[]} */
  #instants = [0];
  #clock = new Clock();
  #times = new Times([0], false);
  #at = 0;
  #toldAt = -Infinity;
  #isDue = false;
  #calm = matchMedia("(prefers-reduced-motion: reduce)");

  /** @param {HTMLElement} root @param {AbortSignal} signal */
  constructor(root, signal) {
    this.root = root;
    this.signal = signal;
    this.scrubber = this.part("scrubber");
    this.time = this.part("time");
    this.skip = this.part("skip");
    this.speed = this.part("speed");
    this.length = 0;
    this.#load();
  }

  /** @param {string} name @returns {any} */
  part(name) {
    return this.root.querySelector(`[data-part=${name}]`);
  }

  /* --- what is played --- */

  async #load() {
    const roots = [...this.root.querySelectorAll("[data-film]")];
    const status = this.part("status");
    status.hidden = false;
    try {
      const films = roots.map(({ dataset }) => this.#fetch(dataset.film));
      const [{ Following }, ...fetched] = await Promise.all([import("./following.js"), ...films]);
      const follow = (/** @type {Element} */ pane) => new Following(pane, this.signal);
      this.#columns = roots.map((root, place) => new Column(root, fetched[place], follow));
    } catch {
      if (!this.signal.aborted) this.#fail();
      return;
    }
    status.hidden = true;
    this.#begin();
  }

  /** @param {string} address @returns {Promise<Film>} */
  async #fetch(address) {
    const response = await fetch(address, { signal: this.signal, headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) throw new Error(String(response.status));
    return new Film(await response.json());
  }

  #fail() {
    const notice = document.getElementById("failed-template").content.firstElementChild.cloneNode(true);
    notice.querySelector("span").textContent = "The recording could not be loaded. The whole answer stands below.";
    notice.querySelector("button").addEventListener("click", () => {
      notice.remove();
      this.#load();
    });
    this.part("status").hidden = true;
    this.part("status").after(notice);
  }

  #begin() {
    this.length = Math.max(...this.#columns.map(({ film }) => film.lengthMs));
    const all = this.#columns.flatMap(({ film }) => film.ats);
    this.#instants = [...new Set([0, ...all, this.length])].sort((a, b) => a - b);
    this.scrubber.max = String(Math.ceil(this.length));
    for (const { root, film } of this.#columns) this.#sayMerged(root, film);
    for (const hidden of this.root.querySelectorAll("[data-part=controls], [data-part=marks]")) hidden.hidden = false;
    this.part("whole").hidden = true;
    this.#listen();
    this.#chooseGaps();
    this.#seek(0);
    this.root.dataset.ready = "";
  }

  /** @param {HTMLElement} root @param {Film} film */
  #sayMerged(root, { stepMs }) {
    const merged = root.querySelector("[data-part=merged]");
    merged.hidden = !stepMs;
    merged.querySelector("b").textContent = `${stepMs} ms`;
  }

  /* --- time --- */

  /** The instant of the recording that is shown. */
  #now() {
    if (!this.#clock.isRunning) return this.#at;
    return Math.min(this.#times.toRecorded(this.#clock.played), this.length);
  }

  play() {
    this.#clock.start(this.#times.toPlayed(this.#at >= this.length ? 0 : this.#at));
    this.root.dataset.playing = "";
    announce("Playing");
    this.#soon();
  }

  /** @param {string} words */
  pause(words = "Paused") {
    this.#at = this.#now();
    this.#clock.stop();
    delete this.root.dataset.playing;
    announce(`${words}, ${timeText(this.#at)}`);
    this.#soon();
  }

  /** @param {number} at */
  #seek(at) {
    this.#at = Math.min(Math.max(at, 0), this.length);
    if (this.#clock.isRunning) this.#clock.start(this.#times.toPlayed(this.#at));
    this.#soon();
  }

  /** To the event before or behind, and stay there. @param {1 | -1} direction */
  #step(direction) {
    if (this.#clock.isRunning) this.pause();
    const before = countUntil(this.#instants, this.#at);
    const isOnOne = this.#instants[before - 1] === this.#at;
    const place = direction > 0 ? before : before - (isOnOne ? 2 : 1);
    this.#seek(this.#instants[Math.min(Math.max(place, 0), this.#instants.length - 1)]);
  }

  #chooseGaps() {
    const at = this.#now();
    this.#times = new Times(this.#instants, this.skip.checked);
    const { longGaps, skippedMs } = this.#times;
    this.skip.closest("label").hidden = longGaps.length === 0;
    this.part("skipped").textContent = longGaps.length === 0 ? "" : `${longGaps.length} × > ${LONG_GAP_MS / 1000} s, −${timeText(skippedMs)}`;
    this.#seek(at);
  }

  /** @param {number} speed */
  #setSpeed(speed) {
    if (!(speed >= SLOWEST && speed <= FASTEST)) return;
    this.#clock.speed = speed;
    for (const choice of this.root.querySelectorAll("[name=speed]")) choice.checked = Number(choice.value) === speed;
    if (Number(this.speed.value) !== speed) this.speed.value = String(speed);
  }

  /* --- what is seen --- */

  #soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.#isDue = false;
    if (this.signal.aborted) return;
    const now = this.#now();
    const { isRunning } = this.#clock;
    const isOver = isRunning && now >= this.length;
    const at = isRunning && !isOver && this.#calm.matches ? Math.floor(now / CALM_MS) * CALM_MS : now;
    const isWhole = this.#columns.map((column) => column.show(at)).every(Boolean);
    this.root.ariaBusy = String(!isWhole);
    this.#tellTime(at);
    if (isOver) this.pause("The end");
    else if (isRunning || !isWhole) this.#soon();
  }

  /** @param {number} at */
  #tellTime(at) {
    this.root.dataset.at = String(at);
    this.scrubber.value = String(at);
    this.time.textContent = `${timeText(at)} / ${timeText(this.length)}`;
    // A screen reader on the scrubber is not told sixty times a second.
    if (this.#clock.isRunning && Math.abs(at - this.#toldAt) < TOLD_EVERY_MS) return;
    this.#toldAt = at;
    const event = countUntil(this.#instants, at);
    this.scrubber.ariaValueText = `${timeText(at)} of ${timeText(this.length)}, event ${event} of ${this.#instants.length}`;
  }

  /* --- what is pressed --- */

  #listen() {
    const { signal, root } = this;
    root.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-does], [data-go]");
      if (!button) return;
      if ("go" in button.dataset) this.#seek(Number(button.dataset.go));
      else this.#act(button.dataset.does);
    }, { signal });
    this.scrubber.addEventListener("input", () => this.#seek(Number(this.scrubber.value)), { signal });
    this.skip.addEventListener("change", () => this.#chooseGaps(), { signal });
    root.addEventListener("change", ({ target }) => target.name === "speed" && this.#setSpeed(Number(target.value)), { signal });
    this.speed.addEventListener("input", () => this.#setSpeed(this.speed.valueAsNumber), { signal });
    document.addEventListener("keydown", (event) => this.#press(event), { signal });
  }

  /** @param {string} what */
  #act(what) {
    if (what === "next") this.#step(1);
    else if (what === "previous") this.#step(-1);
    else if (this.#clock.isRunning) this.pause();
    else this.play();
  }

  /** @param {KeyboardEvent & {target: HTMLElement}} event */
  #press(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (target.closest("input:not([type=range]), textarea, select, [contenteditable], dialog[open]")) return;
    const act = { " ": "toggle", ArrowRight: "next", ArrowLeft: "previous" }[key];
    if (!act || (act === "toggle" && (event.repeat || target.closest("button, a, summary")))) return;
    event.preventDefault();
    this.#act(act);
  }
}

define("replay", { mount: (root, { signal }) => new Replay(root, signal) });
