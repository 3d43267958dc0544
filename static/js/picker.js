/* A choice among many: a field with a list that is searched, in the place of a plain one, which stays what the form sends.
   What stands in that is listed first; a piece of a name is looked for by the server. Without scripts it is as it was. */
import { combobox } from "./combobox.js";
import { define } from "./kit.js";
import { place } from "./menus.js";
import { announce } from "./telling.js";

const PAUSE_MS = 150; // after the last key, before Loom is asked
const FAILED = "The agents could not be searched: Loom could not be reached.";
const COPIED = ["aria-describedby", "aria-invalid", "autofocus"];

let count = 0;

/** @param {HTMLOptionElement} option @returns {HTMLElement} */
function optionOf(option) {
  const element = document.createElement("div");
  element.setAttribute("role", "option");
  element.dataset.value = option.value;
  element.append(Object.assign(document.createElement("b"), { dir: "auto", textContent: option.text }));
  return element;
}

/** The field and its list, beside the choice.
 * @param {HTMLSelectElement} select */
function partsFor(select) {
  const box = Object.assign(document.createElement("div"), { className: "picker" });
  const field = Object.assign(document.createElement("input"), {
    type: "text", className: "input", id: select.id, autocomplete: "off", spellcheck: false, required: select.required, dir: "auto",
  });
  const list = Object.assign(document.createElement("div"), { id: `picker-${++count}`, className: "picker-list", popover: "manual" });
  for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) {
    field.setAttribute(name, value);
  }
  for (const name of COPIED) if (select.hasAttribute(name)) field.setAttribute(name, select.getAttribute(name));
  list.setAttribute("role", "listbox");
  list.ariaLabel = "Agents";
  box.append(field, list);
  return { box, field, list };
}

/** @param {HTMLSelectElement} select @param {{signal: AbortSignal}} mounting */
function mount(select, { signal }) {
  const hadFocus = document.activeElement === select;
  const { box, field, list } = partsFor(select);
  const { id, required } = select;
  const own = combobox(field, list, signal);
  let timer = 0;
  let asking = new AbortController();

  const isOpen = () => list.matches(":popover-open");
  const chosen = () => select.selectedOptions[0];
  const showChosen = () => {
    field.value = chosen()?.value ? chosen().text : "";
    field.placeholder = [...select.options].find(({ value }) => value === "")?.text ?? "";
  };

  function close() {
    clearTimeout(timer);
    asking.abort();
    if (isOpen()) list.hidePopover();
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    showChosen();
  }

  function showList() {
    if (!isOpen()) list.showPopover();
    list.style.width = `${field.offsetWidth}px`;
    place(field, list);
    if (!own.refresh().length) announce("Nothing is found.");
  }

  /** What the choice holds as the page came, the chosen one active. */
  function listOwn() {
    list.replaceChildren(...[...select.options].map(optionOf));
    showList();
    own.activate(list.querySelector(`[data-value="${CSS.escape(select.value)}"]`) ?? list.querySelector("[role=option]"));
  }

  /** @param {string} text */
  async function ask(text) {
    asking = new AbortController();
    const address = new URL(select.dataset.options, location.href);
    address.searchParams.set("q", text);
    try {
      const response = await fetch(address, { signal: asking.signal, headers: { "HX-Request": "true" } });
      if (response.redirected) return location.reload(); // to the sign-in
      if (!response.ok && response.status !== 422) throw new Error(FAILED);
      list.innerHTML = await response.text();
    } catch {
      if (asking.signal.aborted) return;
      list.replaceChildren(Object.assign(document.createElement("p"), { className: "picker-more", textContent: FAILED }));
      announce(FAILED);
    }
    if (document.activeElement === field) showList();
  }

  /** @param {HTMLElement} option */
  function choose(option) {
    const { value } = option.dataset;
    const before = select.value;
    if (![...select.options].some((one) => one.value === value)) select.add(new Option(option.textContent.trim(), value));
    select.value = value;
    close();
    if (value !== before) select.dispatchEvent(new Event("change", { bubbles: true }));
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    asking.abort();
    const text = field.value.trim();
    if (text) timer = setTimeout(() => ask(text), PAUSE_MS);
    else listOwn();
  }, { signal });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape" && isOpen()) close();
    else if (!isOpen() && ["Enter", "ArrowDown", "ArrowUp"].includes(event.key)) listOwn();
    else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, { signal, capture: true });
  field.addEventListener("click", () => isOpen() || (field.select(), listOwn()), { signal });
  field.addEventListener("blur", close, { signal });
  field.addEventListener("change", (event) => event.stopPropagation(), { signal }); // what is typed is no choice
  select.addEventListener("change", showChosen, { signal });
  list.addEventListener("click", (/** @type {{target: any}} */ { target }) => {
    const option = target.closest("[role=option]");
    if (option) choose(option);
  }, { signal });
  // What moves below the open list takes it along.
  document.addEventListener("scroll", ({ target }) => isOpen() && target !== list && place(field, list), { signal, capture: true });

  select.removeAttribute("id");
  select.required = false;
  select.hidden = true;
  select.after(box);
  showChosen();
  if (hadFocus || select.autofocus) field.focus();
  signal.addEventListener("abort", () => {
    asking.abort();
    box.remove();
    Object.assign(select, { id, required, hidden: false });
  });
}

define("picker", { mount });
