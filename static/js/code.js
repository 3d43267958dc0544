/* A button on each block of code that copies it. */

/** @param {HTMLPreElement} block */
function addButton(block) {
  const box = Object.assign(document.createElement("div"), { className: "code-box" });
  const button = document.getElementById("copy-template").content.firstElementChild.cloneNode(true);
  block.replaceWith(box);
  box.append(block, button);
}

// Only what is closed: the open end of an answer is replaced many times a second.
/** @param {ParentNode} root */
export function addCopyButtons(root) {
  for (const block of root.querySelectorAll(".md:not([id$='-tail']) pre:is(.code, .json):not(.code-box > pre)")) addButton(block);
}

// Ahead of the listener that copies what a button holds.
document.addEventListener("click", ({ target }) => {
  const button = target.closest(".code-box > .copy");
  if (button) button.dataset.copy = button.previousElementSibling.textContent.replace(/\n$/, "");
}, { capture: true });
