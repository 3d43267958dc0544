/* The socket of a session page: it connects again by itself, and says how that stands. */
const LONGEST_RECONNECT_MS = 8000;
const PATIENCE_MS = 10_000; // with a connection that neither opens nor fails
const TRIES_BEFORE_BLOCKED = 2;
const BACK_SHOWN_MS = 4000;
const LOST = "Connection lost, reconnecting… What has arrived is kept.";
const BLOCKED = "No live connection: WebSockets do not get through. Send without it, and reload the page to see the answer.";
const FINAL_CLOSES = {
  4401: "You are signed out. Reload the page to sign in again.",
  4404: "This session is not there any more.",
};

let banner = 0;
/** No connection was possible at all so far. */
export let isBlocked = false;

/** @param {string} text nothing hides it @param {number} hideAfterMs */
export function showConnection(text, hideAfterMs = 0) {
  const element = document.getElementById("connection");
  clearTimeout(banner);
  element.hidden = text === "";
  element.classList.toggle("is-back", hideAfterMs > 0);
  element.querySelector("span").textContent = text;
  if (hideAfterMs) banner = setTimeout(() => showConnection(""), hideAfterMs);
}

/** Keep a socket to an address open.
 * @param {() => string} address asked for each time, as it tells what the page shows by then
 * @param {{opened: (socket: WebSocket) => void, took: (message: string) => void, closed: () => void}} page */
export function stayConnected(address, page) {
  let tries = 0, wasLost = false, wasEverOpen = false;

  /** @param {CloseEvent} event */
  function lost({ code }) {
    const final = FINAL_CLOSES[code];
    wasLost = !final;
    tries += 1;
    isBlocked = !wasEverOpen && tries >= TRIES_BEFORE_BLOCKED;
    showConnection(final ?? (isBlocked ? BLOCKED : LOST));
    page.closed();
    const longest = Math.min(LONGEST_RECONNECT_MS, 500 * 2 ** (tries - 1));
    if (!final) setTimeout(connect, longest / 2 + (Math.random() * longest) / 2);
  }

  function connect() {
    const socket = new WebSocket(address());
    const impatience = setTimeout(() => socket.close(), PATIENCE_MS);
    socket.addEventListener("open", () => {
      clearTimeout(impatience);
      if (wasLost) showConnection("Connected again.", BACK_SHOWN_MS);
      wasLost = false;
      wasEverOpen = true;
      isBlocked = false;
      page.opened(socket);
    });
    socket.addEventListener("message", ({ data }) => {
      tries = 0;
      page.took(data);
    });
    socket.addEventListener("close", lost);
    socket.addEventListener("close", () => clearTimeout(impatience));
  }

  connect();
}
