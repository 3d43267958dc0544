/* Checked rows of a list: all at once, and how many. Without it they are checked one by one. */
import { define } from "./kit.js";

/** @param {HTMLFormElement} form @returns {HTMLInputElement[]} */
function boxes(form) {
  return [...form.elements].filter((box) => box.name === "row");
}

/** @param {HTMLFormElement} form */
function count(form) {
  const all = boxes(form);
  const checked = all.filter((box) => box.checked).length;
  const master = form.querySelector("[data-check-all]");
  master.closest("label").hidden = all.length === 0;
  master.checked = checked > 0 && checked === all.length;
  master.indeterminate = checked > 0 && checked < all.length;
  form.querySelector("[data-check-count]").textContent = checked === 0 ? "" : `(${checked})`;
  form.classList.toggle("is-active", checked > 0);
}

define("bulk", {
  mount(form, { signal }) {
    // The boxes stand in the rows, outside of the form that they belong to.
    document.addEventListener("change", ({ target }) => {
      if (target.form !== form) return;
      if ("checkAll" in target.dataset) for (const box of boxes(form)) box.checked = target.checked;
      count(form);
    }, { signal });
    count(form);
  },
});
