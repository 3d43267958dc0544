/* Choosing from a list of checkboxes: all at once, those whose name matches, and how many are chosen. */
import { define } from "./kit.js";

/** @param {HTMLFormElement} form @returns {HTMLInputElement[]} */
function boxes(form) {
  return [...form.querySelectorAll(".choices input[type=checkbox]")];
}

/** @param {HTMLFormElement} form */
function count(form) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked).length;
  const shown = all.filter((box) => !box.closest("li").hidden);
  const shownChosen = shown.filter((box) => box.checked).length;
  const master = form.querySelector("[data-choose-all]");
  master.checked = shown.length > 0 && shownChosen === shown.length;
  master.indeterminate = shownChosen > 0 && shownChosen < shown.length;
  form.querySelector("[data-choose-count]").textContent = chosen === 0 ? "chosen" : String(chosen);
  form.querySelector("[data-choose-submit]").disabled = chosen === 0;
}

/** @param {HTMLFormElement} form @param {boolean} isChosen */
function chooseAll(form, isChosen) {
  for (const box of boxes(form)) {
    if (!box.closest("li").hidden) box.checked = isChosen;
  }
}

/** @param {HTMLFormElement} form @param {string} text */
function filter(form, text) {
  const wanted = text.trim().toLowerCase();
  for (const box of boxes(form)) {
    const row = box.closest("li");
    row.hidden = !row.querySelector(".choice-name").textContent.toLowerCase().includes(wanted);
  }
}

define("choices", {
  mount(form) {
    form.addEventListener("input", ({ target }) => {
      if ("chooseAll" in target.dataset) chooseAll(form, target.checked);
      else if ("chooseFilter" in target.dataset) filter(form, target.value);
      count(form);
    });
    // Enter in the filter must not register anything yet.
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && "chooseFilter" in event.target.dataset) event.preventDefault();
    });
    count(form);
  },
});
