/* A recording as apps/metrics/explaining/film.py tells it, and the time in which it is played. Nothing here touches the
   page: what is shown at an instant follows from that instant alone, never from how one came there. */

/**
 * @typedef {[head: number, text: string, foot: number]} Edit how much of the beginning stays, what comes, how much of the end stays
 * @typedef {{at: number, closed?: (string | [number, string])[], steps?: [number, ...Edit][], tail?: Edit}} Frame
 * @typedef {{duration_ms: number, step_ms: number, event_count: number, frames: Frame[]}} Told
 * @typedef {{frame: number, step: number, html: string}} Part a closed piece, and the frame that brings it; `step` is 0 for text
 */

export const LONG_GAP_MS = 5000;
const SHORT_GAP_MS = 500; // what is left of a longer one
const KEPT_EVERY = 64; // edits between two texts that are kept whole

/** How many of some ascending numbers are at most this one.
 * @param {ArrayLike<number>} numbers @param {number} most @returns {number} */
export function countUntil(numbers, most) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] <= most) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A text that changes: as it is after any number of its edits, at the cost of a few of them. */
class Changing {
  /** @type {number[]} */
  #frames = [];
  /** @type {Edit[]} */
  #edits = [];
  #kept;
  #newest;

  /** @param {string} html */
  constructor(html) {
    this.#kept = [html];
    this.#newest = html;
  }

  /** @param {number} frame @param {Edit} edit */
  add(frame, edit) {
    this.#newest = edited(this.#newest, edit);
    this.#frames.push(frame);
    this.#edits.push(edit);
    if (this.#edits.length % KEPT_EVERY === 0) this.#kept.push(this.#newest);
  }

  /** How many of its edits the first frames hold. @param {number} frameCount @returns {number} */
  version(frameCount) {
    return countUntil(this.#frames, frameCount - 1);
  }

  /** @param {number} version @returns {string} */
  text(version) {
    const kept = Math.floor(version / KEPT_EVERY);
    return this.#edits.slice(kept * KEPT_EVERY, version).reduce(edited, this.#kept[kept]);
  }
}

/** @param {string} text @param {Edit} edit @returns {string} */
function edited(text, edit) {
  const [head, more, foot] = edit;
  return text.slice(0, head) + more + text.slice(text.length - foot);
}

export class Film {
  /** When each frame is due. @type {number[]} */
  ats = [];
  /** @type {Part[]} */
  parts = [];
  tail = new Changing("");
  /** @type {Map<number, Changing>} */
  steps = new Map();
  #partFrames;

  /** @param {Told} told */
  constructor({ duration_ms, step_ms, frames }) {
    this.lengthMs = duration_ms;
    this.stepMs = step_ms;
    frames.forEach(({ at, closed = [], steps = [], tail }, frame) => {
      this.ats.push(at);
      for (const [number, ...edit] of steps) this.steps.get(number)?.add(frame, edit);
      for (const part of closed) this.#addPart(frame, part);
      if (tail) this.tail.add(frame, tail);
    });
    this.#partFrames = this.parts.map(({ frame }) => frame);
  }

  /** @param {number} frame @param {string | [number, string]} part */
  #addPart(frame, part) {
    const [step, html] = typeof part === "string" ? [0, part] : part;
    if (step) this.steps.set(step, new Changing(html));
    this.parts.push({ frame, step, html });
  }

  /** How many frames are due at an instant. @param {number} at @returns {number} */
  due(at) {
    return countUntil(this.ats, at);
  }

  /** How many closed parts the first frames hold. @param {number} frameCount @returns {number} */
  partCount(frameCount) {
    return countUntil(this.#partFrames, frameCount - 1);
  }
}

/** Instants of a recording and instants of its replay, which differ where long gaps are cut short. */
export class Times {
  #gaps;

  /** @param {number[]} instants ascending, the beginning and the end among them @param {boolean} isSkipping */
  constructor(instants, isSkipping) {
    this.longGaps = instants.flatMap((to, place) => {
      const from = instants[place - 1] ?? to;
      return to - from > LONG_GAP_MS ? [{ from, to }] : [];
    });
    this.#gaps = isSkipping ? this.longGaps : [];
  }

  /** How much is left out when long gaps are cut short. @returns {number} */
  get skippedMs() {
    return this.longGaps.reduce((sum, { from, to }) => sum + to - from - SHORT_GAP_MS, 0);
  }

  /** @param {number} at @returns {number} */
  toPlayed(at) {
    let cut = 0;
    for (const { from, to } of this.#gaps) {
      if (at <= from) break;
      cut += (Math.min(at, to) - from) * (1 - SHORT_GAP_MS / (to - from));
    }
    return at - cut;
  }

  /** @param {number} played @returns {number} */
  toRecorded(played) {
    let cut = 0;
    for (const { from, to } of this.#gaps) {
      const into = played + cut - from;
      if (into <= 0) break;
      cut += Math.min(into / SHORT_GAP_MS, 1) * (to - from - SHORT_GAP_MS);
    }
    return played + cut;
  }
}

/** One clock for all that is played: read from the machine's each time, so that nothing adds up. */
export class Clock {
  #since = 0;
  #from = 0;
  #speed = 1;
  isRunning = false;

  /** @param {number} played from where on */
  start(played) {
    this.#since = performance.now();
    this.#from = played;
    this.isRunning = true;
  }

  stop() {
    this.isRunning = false;
  }

  /** @returns {number} */
  get played() {
    return this.#from + (performance.now() - this.#since) * this.#speed;
  }

  /** @param {number} speed */
  set speed(speed) {
    if (this.isRunning) this.start(this.played);
    this.#speed = speed;
  }
}
