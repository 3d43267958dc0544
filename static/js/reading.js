/* What a screen reader hears of an answer: that it begins, each part of it when it is closed, and how it ended. */
const KEPT = 5; // parts told that may still be read out
const LONGEST = 2000; // characters of one part
const STORE = "loom.reading";

/** @param {Element} turn @returns {Element[]} */
const partsOf = (turn) => [...(turn.querySelector("[data-part=output]")?.children ?? [])];

/** @param {Element} part @returns {string} */
function wordsOf(part) {
  if (part.matches("details")) return `Tool: ${part.querySelector(".tool-name").textContent}`;
  const code = part.matches("pre") ? part : part.querySelector(":scope > pre");
  return code ? `Code: ${code.textContent.trim()}` : part.textContent.trim();
}

export class Reader {
  #region;
  #choice;
  #run = "";
  #heard = 0;

  /** @param {HTMLElement} region a live one @param {HTMLInputElement} choice whether the parts are told as well */
  constructor(region, choice) {
    this.#region = region;
    this.#choice = choice;
    try {
      const keep = () => localStorage.setItem(STORE, choice.checked ? "parts" : "end");
      if (choice.checked !== choice.defaultChecked) keep(); // by who was faster than this script
      choice.checked = localStorage.getItem(STORE) !== "end";
      choice.addEventListener("change", keep);
    } catch {
      /* Storage is closed to us: the choice lasts as long as the page. */
    }
  }

  /** @param {string} text */
  tell(text) {
    if (!text.trim()) return;
    this.#region.append(Object.assign(document.createElement("p"), { textContent: text.slice(0, LONGEST) }));
    while (this.#region.childElementCount > KEPT) this.#region.firstElementChild.remove();
  }

  /** A turn is answered from now on.
   * @param {HTMLElement} turn */
  begin(turn) {
    if (turn.dataset.run === this.#run) return;
    this.#run = turn.dataset.run;
    this.#heard = partsOf(turn).length;
    this.tell(turn.dataset.telling);
  }

  /** Tell what was closed since the last call.
   * @param {HTMLElement} turn */
  go(turn) {
    const parts = partsOf(turn);
    if (this.#choice.checked) for (const part of parts.slice(this.#heard)) this.tell(wordsOf(part));
    this.#heard = parts.length;
  }

  /** A turn is over. @param {HTMLElement} turn */
  end(turn) {
    if (turn.dataset.run !== this.#run) return;
    this.go(turn);
    this.#run = "";
    this.tell(turn.dataset.telling);
  }
}
