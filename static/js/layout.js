/* How somebody has laid out the page of a session, kept in this browser: how wide what stands beside the conversation is,
   and whether the log stands open there. And which session was open last, to which `g l` leads. */
import { define } from "./kit.js";
import { LAST_SESSION } from "./keys.js";

const STORE = "loom.layout";
const NARROWEST = 20, USUAL = 38, WIDEST = 65, STEP = 1; // percent of the width of both
const wide = matchMedia("(width > 1024px)");

/** @typedef {{beside?: number, hasLog?: boolean}} Layout */

/** @returns {Layout} */
function kept() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {}; // storage is closed to us, or somebody else wrote there
  }
}

/** @param {string} name @param {string} value */
function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    /* The layout lasts as long as the page. */
  }
}

/** @param {Layout} layout what of it is another one now */
const change = (layout) => keep(STORE, JSON.stringify({ ...kept(), ...layout }));

/** Where a key moves the divider.
 * @param {string} key @param {number} width @param {boolean} isRtl @returns {number | undefined} */
function widthAfter(key, width, isRtl) {
  if (key === "ArrowLeft") return width + (isRtl ? -STEP : STEP);
  if (key === "ArrowRight") return width + (isRtl ? STEP : -STEP);
  if (key === "Home") return WIDEST;
  return key === "End" ? NARROWEST : undefined;
}

/** What stands between the columns and says how wide the second one is.
 * @param {HTMLElement} columns @param {AbortSignal} signal */
function divide(columns, signal) {
  const divider = Object.assign(document.createElement("div"), { className: "divider", tabIndex: 0 });
  let width = USUAL;
  /** @param {number} wanted */
  const show = (wanted) => {
    width = Math.round(Math.max(NARROWEST, Math.min(wanted, WIDEST)));
    columns.style.setProperty("--beside", `${width}%`);
    divider.ariaValueNow = String(width);
  };
  /** @param {number} wanted */
  const choose = (wanted) => {
    show(wanted);
    change({ beside: width });
  };
  const isRtl = () => getComputedStyle(columns).direction === "rtl";
  divider.role = "separator";
  Object.assign(divider, {
    ariaOrientation: "vertical", ariaLabel: "Width of what stands beside the conversation, in percent",
    ariaValueMin: String(NARROWEST), ariaValueMax: String(WIDEST),
  });
  show(Number(kept().beside) || USUAL);
  divider.addEventListener("keydown", (event) => {
    const wanted = widthAfter(event.key, width, isRtl());
    if (wanted === undefined) return;
    event.preventDefault();
    choose(wanted);
  });
  divider.addEventListener("dblclick", () => choose(USUAL));
  divider.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    divider.focus();
    divider.setPointerCapture(event.pointerId);
  });
  divider.addEventListener("pointermove", ({ pointerId, clientX }) => {
    if (!divider.hasPointerCapture(pointerId)) return;
    const { left, right } = columns.getBoundingClientRect();
    show(((isRtl() ? clientX - left : right - clientX) / (right - left)) * 100);
  });
  divider.addEventListener("lostpointercapture", () => change({ beside: width }));
  columns.children[0].after(divider);
  columns.classList.add("is-divided");
  signal.addEventListener("abort", () => divider.remove());
}

/** @param {string} address of a style sheet @returns {Promise<void>} */
const styled = (address) => new Promise((resolve) => {
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: address });
  for (const name of ["load", "error"]) sheet.addEventListener(name, () => resolve());
  document.head.append(sheet);
});

define("layout", {
  selector: "[data-widget~=session] > .columns",
  async mount(columns, { signal }) {
    keep(LAST_SESSION, location.pathname);
    // It does not bubble, and what is opened is replaced by what was fetched for it.
    columns.addEventListener("toggle", ({ target }) => target.matches(".run-log") && change({ hasLog: target.open }), { signal, capture: true });
    const log = columns.querySelector(":scope .run-log");
    if (log && kept().hasLog && wide.matches) log.open = true;
    await styled(columns.dataset.layout);
    if (!signal.aborted) divide(columns, signal);
  },
});
