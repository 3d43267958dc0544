/* A button on a block of code that copies it. */

/** @param {HTMLPreElement} block */
export function addButton(block) {
  if (block.parentElement.matches(".code-box")) return;
  const box = Object.assign(document.createElement("div"), { className: "code-box" });
  const button = document.querySelector("[data-part=copy-code]").content.firstElementChild.cloneNode(true);
  block.replaceWith(box);
  box.append(block, button);
  button.addEventListener("click", () => (button.dataset.copy = block.textContent.replace(/\n$/, "")));
}
