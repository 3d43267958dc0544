/* What can be done with the turns of a session, and what they show by themselves. Fetched once the page is shown. */
import { define } from "./kit.js";
import "./layout.js";

define("copy-answer", {
  selector: "[data-copy-answer]",
  mount(button, { signal }) {
    button.addEventListener("click", async () => {
      if (!("copy" in button.dataset)) (await import("./copying.js")).copyAnswer(button);
    }, { signal });
  },
});

define("since", {
  selector: "[data-since]",
  mount(element, { signal }) {
    const count = () => (element.textContent = `${Math.max(0, Math.floor((Date.now() - Date.parse(element.dataset.since)) / 1000))} s`);
    count();
    const ticks = setInterval(count, 1000);
    signal.addEventListener("abort", () => clearInterval(ticks));
  },
});

// A link may lead to a turn that is not loaded yet: load until it is there.
define("target", {
  selector: "[data-widget~=session] [data-part=transcript]",
  mount(transcript, { signal }) {
    const find = () => {
      if (!/^#invocation-\d+$/.test(location.hash)) return;
      const target = transcript.querySelector(location.hash);
      if (target) target.scrollIntoView({ block: "start" });
      else transcript.querySelector(".earlier a")?.click();
    };
    transcript.addEventListener("htmx:afterSettle", find, { signal });
    addEventListener("hashchange", find, { signal });
    if (document.readyState === "complete") find();
    else addEventListener("load", find, { signal }); // htmx has the link by then
  },
});

// Only what is closed: the open end of an answer is replaced many times a second.
define("code", {
  selector: ".md:not([data-part=tail]) pre:is(.code, .json)",
  mount: async (block) => (await import("./code.js")).addButton(block),
});
