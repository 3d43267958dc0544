/* What a screen reader hears of an answer: that it begins, each part of it when it is closed, and how it ended. */
const KEPT = 5; // parts told that may still be read out
const LONGEST = 2000; // characters of one part
const STORE = "loom.reading";

const region = document.getElementById("reading");
const choice = document.getElementById("reading-choice");
let turn = null;
let heard = 0;

/** @param {string} text */
export function tell(text) {
  if (!text.trim()) return;
  region.append(Object.assign(document.createElement("p"), { textContent: text.slice(0, LONGEST) }));
  while (region.childElementCount > KEPT) region.firstElementChild.remove();
}

/** @param {Element} article @returns {Element[]} */
const partsOf = (article) => [...(article.querySelector(".answer > .md")?.children ?? [])];

/** @param {Element} part @returns {string} */
function wordsOf(part) {
  if (part.matches("details")) return `Tool: ${part.querySelector(".tool-name").textContent}`;
  const code = part.matches("pre") ? part : part.querySelector(":scope > pre");
  return code ? `Code: ${code.textContent.trim()}` : part.textContent.trim();
}

/** @param {Element} article */
function readOn(article) {
  const parts = partsOf(article);
  if (choice.checked) for (const part of parts.slice(heard)) tell(wordsOf(part));
  heard = parts.length;
}

/** Tell what is new since the last call.
 * @param {Element | null} running the turn that is being answered */
export function follow(running) {
  if (running && running.id !== turn) {
    turn = running.id;
    heard = partsOf(running).length;
    tell(running.dataset.telling);
  } else if (running) {
    readOn(running);
  } else if (turn) {
    const article = document.getElementById(turn);
    turn = null;
    if (!article) return;
    readOn(article);
    tell(article.dataset.telling);
  }
}

try {
  choice.checked = localStorage.getItem(STORE) !== "end";
  choice.addEventListener("change", () => localStorage.setItem(STORE, choice.checked ? "parts" : "end"));
} catch {
  /* Storage is closed to us: the choice lasts as long as the page. */
}
