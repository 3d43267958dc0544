/* A field with a list below it, of which the field names the active one (ARIA's combobox): the focus stays in the field,
   arrow keys walk through what is shown, Enter takes it. */

/** @typedef {{activate: (option?: HTMLElement) => void, refresh: () => HTMLElement[]}} Combobox */

let count = 0;

/** @param {string} key @param {number} here @param {number} length @returns {number | undefined} */
function placeAfter(key, here, length) {
  if (key === "ArrowDown") return (here + 1) % length;
  if (key === "ArrowUp") return (Math.max(here, 0) - 1 + length) % length;
  if (key === "PageDown") return Math.min(here + 8, length - 1);
  return key === "PageUp" ? Math.max(here - 8, 0) : undefined;
}

/** @param {HTMLInputElement} field @param {HTMLElement} list @param {AbortSignal} [signal] @returns {Combobox} */
export function combobox(field, list, signal) {
  /** @returns {HTMLElement[]} */
  const shown = () => [...list.querySelectorAll("[role=option]")].filter((option) => !option.closest("[hidden]"));
  const active = () => list.querySelector("[aria-selected=true]");

  /** @param {HTMLElement} [option] */
  function activate(option) {
    active()?.setAttribute("aria-selected", "false");
    if (!option) return field.removeAttribute("aria-activedescendant");
    option.id ||= `option-${++count}`;
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", option.id);
  }

  /** After options came or went: the first is active, unless the one that was is still there. */
  function refresh() {
    const options = shown();
    for (const option of options) if (!option.hasAttribute("aria-selected")) option.setAttribute("aria-selected", "false");
    const before = active();
    if (!before || !options.includes(before)) activate(options[0]);
    field.setAttribute("aria-expanded", String(options.length > 0));
    return options;
  }

  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    const options = shown();
    const next = options.length ? placeAfter(event.key, options.indexOf(active()), options.length) : undefined;
    if (next !== undefined) activate(options[next]);
    else if (event.key === "Enter" && options.includes(active())) active().click();
    else return;
    event.preventDefault();
  }, { signal });
  // The focus stays in the field, whatever is pressed in the list.
  list.addEventListener("mousedown", (event) => event.preventDefault(), { signal });
  list.addEventListener("pointermove", ({ target }) => {
    const option = target.closest("[role=option]");
    if (option && option !== active()) activate(option);
  }, { signal });
  return { activate, refresh };
}
