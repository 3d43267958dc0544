/* On a narrow screen the long cards are folded to their heads: the page stays short, and each is one tap away. */
import { define } from "./kit.js";

const narrow = matchMedia("(max-width: 767.98px)");
// By name, because a fragment that is asked for again brings a new card.
const opened = new Set();

/** @param {Element} card @param {boolean} isOpen */
function show(card, isOpen) {
  card.toggleAttribute("data-folded", !isOpen);
  card.querySelector(":scope > header .fold").setAttribute("aria-expanded", String(isOpen));
}

/** @param {Element} card */
function toggle(card) {
  const name = card.ariaLabel;
  if (opened.has(name)) opened.delete(name);
  else opened.add(name);
  show(card, opened.has(name));
}

/** @param {Element} card */
function fold(card) {
  const heading = card.querySelector(":scope > header h2");
  if (!heading || heading.querySelector(".fold")) return;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "fold" });
  button.append(...heading.childNodes);
  button.addEventListener("click", () => toggle(card));
  heading.append(button);
  // A link that leads to a card leads to what is in it.
  if (location.hash && card.closest("[id]")?.id === location.hash.slice(1)) opened.add(card.ariaLabel);
  show(card, opened.has(card.ariaLabel));
}

/** @param {Element} card */
function unfold(card) {
  const button = card.querySelector(":scope > header .fold");
  button?.replaceWith(...button.childNodes);
  card.removeAttribute("data-folded");
}

define("folds", {
  mount(card, { signal }) {
    const apply = () => (narrow.matches ? fold : unfold)(card);
    narrow.addEventListener("change", apply, { signal });
    apply();
  },
});
