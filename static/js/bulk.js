/* Checked rows of a list: all at once, and how many. Without it they are checked one by one. */

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

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (!form?.matches("form[data-bulk]")) return;
  if ("checkAll" in event.target.dataset) for (const box of boxes(form)) box.checked = event.target.checked;
  count(form);
});

function countAll() {
  for (const form of document.querySelectorAll("form[data-bulk]")) count(form);
}
document.addEventListener("htmx:load", countAll);
countAll();
