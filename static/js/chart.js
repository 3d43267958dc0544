/* The readout of a chart: the figures of the step under the pointer, or the one reached by the arrow keys. Dragging over
   steps shows their time alone, on all charts of the page. */
import { define } from "./kit.js";
import { clocksFor } from "./zones.js";

/** @param {HTMLElement} step @returns {string} */
function spanText(step) {
  const { date, days, minutes } = clocksFor(step);
  const [start, end] = [new Date(step.dataset.from), new Date(step.dataset.to)];
  const isOneDay = date.format(start) === date.format(end);
  const last = isOneDay ? minutes.format(end) : `${days.format(end)} ${minutes.format(end)}`;
  return `${days.format(start)} ${minutes.format(start)} – ${last}`;
}

/** @param {HTMLElement} step @returns {string} */
function textOf(step) {
  return `${spanText(step)} · ${step.dataset.text}`;
}

/** @param {Element} chart */
function localiseAxis(chart) {
  const { days, minutes } = clocksFor(chart);
  for (const label of chart.querySelectorAll("text[data-at]")) {
    label.textContent = ("days" in label.dataset ? days : minutes).format(new Date(label.dataset.at));
  }
}

/** Mark the steps of every chart that lie between two of one, whichever of these comes first.
 * @param {HTMLElement} [one] @param {HTMLElement} [other] @returns {HTMLElement[]} the first and the last of the two */
function choose(one, other) {
  const [first, last] = one && other && one.dataset.from > other.dataset.from ? [other, one] : [one, other];
  for (const step of document.querySelectorAll(".chart-step")) {
    const isChosen = first && step.dataset.from >= first.dataset.from && step.dataset.to <= last.dataset.to;
    step.classList.toggle("is-chosen", Boolean(isChosen));
  }
  return [first, last];
}

/** The address of the page over the time from one step to another: what both lead to, put together.
 * @param {string} base @param {HTMLElement} first @param {HTMLElement} last @returns {URL} */
function addressOf(base, first, last) {
  const [address, end] = [first, last].map((step) => new URL(base + step.dataset.href, location.href));
  address.searchParams.set("to", end.searchParams.get("to"));
  return address;
}

/** Dragging from one step to another opens the time between them.
 * @param {HTMLElement} chart @param {HTMLElement} frame @param {(step: HTMLElement) => void} show */
function dragging(chart, frame, show) {
  /** @type {HTMLElement | undefined} */
  let from;
  /** @type {HTMLElement | undefined} */
  let to;
  /** @param {PointerEvent} event @returns {HTMLElement | undefined} the step over or nearest beside which it is */
  function stepAt({ clientX }) {
    const steps = [...chart.querySelectorAll(".chart-step")];
    return steps.findLast((step) => step.getBoundingClientRect().left <= clientX) ?? steps[0];
  }
  function end() {
    [from, to] = [undefined, undefined];
    choose();
  }
  frame.addEventListener("pointerdown", (event) => {
    if (event.button || event.pointerType === "touch") return;
    const { target } = event;
    from = target instanceof Element && target.closest(".chart-plot") ? stepAt(event) : undefined;
  });
  frame.addEventListener("pointermove", (event) => {
    if (!from || !event.buttons) return;
    const step = stepAt(event);
    if (step === from && !to) return;
    if (!to) frame.setPointerCapture(event.pointerId);
    to = step;
    choose(from, to);
    show(to);
  });
  frame.addEventListener("pointerup", () => {
    const [first, last] = from && to && from !== to ? choose(from, to) : [];
    if (first) {
      frame.dataset.dragged = "";
      location.assign(addressOf(chart.dataset.chart, first, last));
    }
    end();
  });
  frame.addEventListener("pointercancel", end);
}

/** @param {HTMLElement} chart */
function mount(chart) {
  localiseAxis(chart);
  const readout = chart.querySelector(".chart-readout");
  const frame = chart.querySelector(".chart-frame");
  const steps = [...chart.querySelectorAll(".chart-step")];
  let current = -1;

  /** @param {number} index the step that the slider stands at */
  function tell(index) {
    frame.setAttribute("aria-valuenow", String(index + 1));
    frame.setAttribute("aria-valuetext", textOf(steps[index]));
  }

  /** @param {number} index the step, or none of them */
  function show(index) {
    steps[current]?.classList.remove("is-current");
    current = index;
    const step = steps[index];
    readout.hidden = !step;
    if (!step) return;
    step.classList.add("is-current");
    readout.textContent = textOf(step);
    tell(index);
  }

  function open() {
    if (steps[current]) location.assign(new URL(chart.dataset.chart + steps[current].dataset.href, location.href));
  }

  const moves = {
    ArrowLeft: () => Math.max(0, current - 1),
    ArrowRight: () => Math.min(steps.length - 1, current + 1),
    Home: () => 0,
    End: () => steps.length - 1,
  };

  // Only with a script is there something to move, so only then does it take the focus.
  frame.tabIndex = 0;
  frame.setAttribute("role", "slider");
  frame.setAttribute("aria-label", "Step of time");
  frame.setAttribute("aria-description", "Arrow keys move from step to step, Enter opens the one in view by itself.");
  frame.setAttribute("aria-valuemin", "1");
  frame.setAttribute("aria-valuemax", String(steps.length));
  tell(steps.length - 1); // where the focus will find it
  frame.addEventListener("focus", () => show(current === -1 ? steps.length - 1 : current));
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter") open();
    else if (event.key === "Escape") show(-1);
    else if (event.key in moves) {
      event.preventDefault();
      show(moves[event.key]());
    }
  });
  frame.addEventListener("pointerover", (event) => {
    const step = event.target.closest(".chart-step");
    if (step) show(steps.indexOf(step));
  });
  frame.addEventListener("pointerleave", () => {
    if (document.activeElement !== frame) show(-1);
  });
  frame.addEventListener("click", (event) => {
    if ("dragged" in frame.dataset) delete frame.dataset.dragged;
    else if (event.target.closest(".chart-step")) open();
  });
  dragging(chart, frame, (step) => show(steps.indexOf(step)));
}

define("chart", { mount });
