/* The end of a session's conversation, which the window follows, and the button that leads down to it. Fetched once the
   page is shown and connected. */
import { Following } from "./following.js";

const NEAR_END_PX = 96;

export class End {
  #view;
  #end;
  #following;

  /** @param {import("./live.js").SessionView} view @param {AbortSignal} signal */
  constructor(view, signal) {
    this.#view = view;
    this.#end = view.part("end");
    const below = () => this.#end.getBoundingClientRect().bottom - window.innerHeight;
    this.#following = new Following(document.scrollingElement, signal, NEAR_END_PX, below);
    // Since the page was led to its end, more may have come, or somebody scrolled up.
    if (view.startsAt !== Infinity) this.#following.isOn = window.scrollY >= view.startsAt;
    if (this.#following.isOn) this.follow();
    document.addEventListener("scroll", () => this.#showJump(), { signal });
    // What grows or shrinks without scrolling, as a step that is opened. Whatever lies above the window counts as seen.
    let hasLeft = false;
    const observer = new IntersectionObserver(([{ isIntersecting }]) => {
      if (hasLeft || !isIntersecting) this.#following.isOn = isIntersecting;
      hasLeft ||= !isIntersecting;
      this.#showJump();
    }, { rootMargin: `1000000px 0px ${NEAR_END_PX}px 0px` });
    observer.observe(this.#end);
    signal.addEventListener("abort", () => observer.disconnect());
    view.part("jump")?.addEventListener("click", () => this.#end.scrollIntoView({ block: "end" }), { signal });
  }

  follow() {
    if (!this.#following.isOn) return this.#showJump();
    this.#view.isOver = false;
    this.#following.toEnd(() => this.#view.toEnd());
  }

  #showJump() {
    const jump = this.#view.part("jump");
    const { isOn } = this.#following;
    if (isOn) this.#view.isOver = false;
    const isHidden = isOn || !(this.#view.isOver || this.#view.running);
    if (!jump || (isHidden && jump.hidden)) return;
    jump.hidden = isHidden;
    jump.querySelector("span").textContent = this.#view.isOver ? this.#view.transcript.lastElementChild.dataset.telling : jump.dataset.running;
  }
}
