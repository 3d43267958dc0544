/* Who reads at the end of what grows is kept there, and who scrolls up is left alone from the first pixel on. Scrolling
   itself tells: an observer, or a look at where the end is, comes behind the next piece, which pulls the reader back. */

const NEAR_END_PX = 48;

export class Following {
  #top;
  /** How far below the view the end lies when it was just scrolled to. */
  #rest = 0;
  #scroller;
  #below;

  /** @param {Element} scroller @param {AbortSignal} signal @param {number} near how close to the end who scrolls down is
   *   kept at it again @param {() => number} below how many pixels below the view the end lies */
  constructor(scroller, signal, near = NEAR_END_PX, below = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight) {
    this.#scroller = scroller;
    this.#below = below;
    this.#top = scroller.scrollTop;
    this.isOn = below() <= near;
    const target = scroller === document.scrollingElement ? document : scroller;
    target.addEventListener("scroll", () => this.#look(near), { signal });
  }

  /** @param {number} near */
  #look(near) {
    const { scrollTop } = this.#scroller;
    const below = this.#below();
    if (scrollTop < this.#top && below > this.#rest + 1) this.isOn = false;
    else if (below <= near) this.isOn = true;
    this.#top = scrollTop;
  }

  /** @param {() => void} scroll */
  toEnd(scroll = () => (this.#scroller.scrollTop = this.#scroller.scrollHeight)) {
    scroll();
    this.#top = this.#scroller.scrollTop;
    this.#rest = this.#below();
  }
}
