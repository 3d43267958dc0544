/* Sending prompts exactly once. A prompt waits here from the moment it is sent until Loom has confirmed it; its key makes
   Loom take it once, however often it has to be said. It outlives a lost connection and a reload of the tab. */

/**
 * @typedef {{prompt?: string, payload?: string, mode?: string, again?: string, request_key: string}} Fields
 * @typedef {{fields: Fields, isSent: boolean}} Pending
 * @typedef {{prompt: string, payload: string, mode: string}} Draft
 * @typedef {import("./live.js").SessionView} SessionView
 */

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {Fields} fields @returns {boolean} */
function isEmpty(fields) {
  return !fields.again && (fields.mode === "json" ? fields.payload : fields.prompt).trim() === "";
}

export class Sender {
  #view;
  #store;
  /** @type {Pending | null} */
  #pending = null;
  /** @type {Draft | null} */
  #draft = null;

  /** @param {SessionView} view */
  constructor(view) {
    this.#view = view;
    this.#store = `loom.pending.${view.root.dataset.session}`;
    try {
      this.#pending = JSON.parse(sessionStorage.getItem(this.#store));
    } catch {
      /* Storage is closed to us: a pending prompt then lasts as long as the page. */
    }
    view.root.addEventListener("submit", (event) => this.#submit(event));
    view.part("pending")?.addEventListener("click", ({ target }) => this.#decide(target.closest("[data-pending]")));
    this.show();
  }

  get #form() {
    return this.#view.part("composer")?.querySelector("form");
  }

  /** @param {Pending | null} pending */
  #keep(pending) {
    this.#pending = pending;
    try {
      if (pending) sessionStorage.setItem(this.#store, JSON.stringify(pending));
      else sessionStorage.removeItem(this.#store);
    } catch {
      /* As above. */
    }
  }

  /* --- what the page shows of it --- */

  /** @returns {string} */
  #describe() {
    if (this.#pending.isSent) return "Sent, but the connection broke before Loom confirmed it. Loom is asked as soon as it is back; nothing is sent twice.";
    return this.#view.connection.isBlocked ? "Not sent: there is no live connection." : "Will be sent when the connection is back:";
  }

  show() {
    const box = this.#view.part("pending");
    if (!box) return;
    // Its turn may have come by another way than its confirmation.
    const key = this.#pending?.fields.request_key;
    if (key && this.#view.transcript.querySelector(`:scope > [data-key="${CSS.escape(key)}"]`)) return this.settle(key, true);
    const isLocked = this.#pending !== null;
    for (const control of this.#form.querySelectorAll("textarea")) control.readOnly = isLocked;
    for (const button of this.#view.root.querySelectorAll("form[data-sends] button:not([form])")) button.disabled = isLocked;
    box.hidden = !isLocked || this.#view.connection.isOpen;
    if (box.hidden) return;
    box.querySelector("b").textContent = this.#describe();
    box.querySelector(".prompt").textContent = this.#pending.fields.prompt || this.#pending.fields.payload || "";
    // What may have arrived cannot be taken back.
    box.querySelector("[data-pending=cancel]").hidden = this.#pending.isSent;
  }

  /* --- sending --- */

  /** Say what is pending, where it can be said. */
  send() {
    if (this.#pending && this.#view.connection.isOpen) {
      this.#view.connection.send({ action: "invoke", ...this.#pending.fields });
      this.#keep({ ...this.#pending, isSent: true });
    }
    this.show();
  }

  /** Loom has taken it, or has refused it and said why; either way it is not said again.
   * @param {string} key @param {boolean} isAccepted */
  settle(key, isAccepted) {
    if (this.#pending?.fields.request_key !== key) return;
    const form = this.#form;
    if (isAccepted) { // what was wrong with an earlier prompt is not wrong with this one
      this.#view.part("problems")?.replaceChildren();
      for (const field of form?.querySelectorAll("[aria-invalid]") ?? []) field.removeAttribute("aria-invalid");
    }
    this.#keep(null);
    if (form?.elements.request_key.value === key) {
      form.elements.prompt.value = form.elements.payload.value = "";
      form.elements.request_key.value = newKey();
    }
    this.show();
    this.#view.keepFocus(false); // its button had it, and was disabled
  }

  /** @param {SubmitEvent & {target: any}} event */
  #submit(event) {
    const form = event.target;
    if (!form.matches("form[data-sends]") || !window.htmx) return; // without htmx nothing shows the answer: sent plainly
    event.preventDefault();
    const { csrfmiddlewaretoken: _, ...fields } = Object.fromEntries(new FormData(form));
    if (this.#pending || isEmpty(fields)) return;
    if (fields.again) fields.request_key = newKey();
    this.#keep({ fields, isSent: false });
    this.send();
  }

  async #sendPlainly() {
    const { sendPlainly } = await import("./plainly.js");
    this.#keep({ ...this.#pending, isSent: true });
    sendPlainly(this.#form.action, this.#pending.fields);
  }

  /** @param {HTMLElement | null} button */
  #decide(button) {
    if (!button || !this.#pending) return;
    if (button.dataset.pending === "plain") {
      this.#sendPlainly();
    } else if (!this.#pending.isSent) {
      this.#keep(null);
      this.show();
      this.#view.part("prompt")?.focus();
    }
  }

  /* --- drafts --- */

  /** Before a new composer takes the place of this one: what is being typed, unless it is on its way. */
  keepDraft() {
    const form = this.#form;
    const isSending = !form || this.#pending?.fields.request_key === form.elements.request_key.value;
    const { prompt, payload, mode } = form?.elements ?? {};
    this.#draft = isSending ? null : { prompt: prompt.value, payload: payload.value, mode: mode.value };
  }

  restoreDraft() {
    const form = this.#form;
    if (form && this.#draft && form.elements.prompt.value === "" && form.elements.payload.value === "") {
      for (const [name, value] of Object.entries(this.#draft)) form.elements[name].value = value;
    }
    this.show();
  }
}
