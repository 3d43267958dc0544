/* The button that copies an answer as it was received: its text is fetched where it is first wanted. */

/** @param {HTMLElement} button */
export async function copyAnswer(button) {
  const response = await fetch(button.dataset.copyAnswer);
  if (!response.ok) return;
  button.dataset.copyLabel = "Answer";
  button.dataset.copy = await response.text();
  button.click(); // now there is a text, which every page knows how to copy
}
