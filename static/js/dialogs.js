/* Opening dialogs, with what the button that opens one says of its row. */

/** @param {HTMLElement} opener */
export function open(opener) {
  const dialog = document.getElementById(opener.dataset.dialog);
  if (!dialog) return;
  const { dialogAction, dialogName, dialogValue } = opener.dataset;
  if (dialogAction) dialog.querySelector("form[data-action]").action = dialogAction;
  for (const place of dialog.querySelectorAll("[data-name]")) place.textContent = dialogName;
  for (const field of dialog.querySelectorAll("[data-value]")) field.value = dialogValue ?? field.value;
  // A filter may have changed the address since the page came.
  for (const field of dialog.querySelectorAll("[data-here]")) field.value = location.pathname + location.search;
  dialog.showModal();
  dialog.querySelector("[data-value]")?.select();
}

// A click beside a dialog closes it, unless it was pressed inside, as where text is selected.
let pressedOn = null;
document.addEventListener("pointerdown", ({ target }) => (pressedOn = target));
document.addEventListener("click", ({ target }) => {
  if (target === pressedOn && target.matches("dialog[open]")) target.close();
});
