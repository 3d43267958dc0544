/* The readout of a chart: the figures of the step under the pointer, or the one reached by the arrow keys. */
import { define } from "./kit.js";
import { days, minutes } from "./times.js";

/** @param {string} from @param {string} to @returns {string} */
function spanText(from, to) {
  const [start, end] = [new Date(from), new Date(to)];
  const isOneDay = start.toDateString() === end.toDateString();
  const last = isOneDay ? minutes.format(end) : `${days.format(end)} ${minutes.format(end)}`;
  return `${days.format(start)} ${minutes.format(start)} – ${last}`;
}

/** @param {HTMLElement} step @returns {string} */
function textOf(step) {
  return `${spanText(step.dataset.from, step.dataset.to)} · ${step.dataset.text}`;
}

/** @param {Element} chart */
function localiseAxis(chart) {
  for (const label of chart.querySelectorAll("text[data-at]")) {
    label.textContent = ("days" in label.dataset ? days : minutes).format(new Date(label.dataset.at));
  }
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
    if (event.target.closest(".chart-step")) open();
  });
}

define("chart", { mount });
