/* Widgets: parts of a page that a script brings to life. One is mounted where its element comes, with the page or later,
   and let go where that leaves: its `signal` aborts, and with it every listener that was given the signal. */

/**
 * @typedef {{signal: AbortSignal}} Mounting
 * @typedef {{mount: (element: any, mounting: Mounting) => void, unmount?: (element: any) => void, selector?: string}} Widget
 * @typedef {{widget: Widget, selector: string, living: WeakMap<Element, AbortController>}} Kind
 */

/** @type {Kind[]} */
const kinds = [];

/** @param {Kind} kind @param {ParentNode} root @returns {Element[]} */
function elementsOf({ selector }, root) {
  const below = [...root.querySelectorAll(selector)];
  return root instanceof Element && root.matches(selector) ? [root, ...below] : below;
}

/** @param {Kind} kind @param {ParentNode} root */
function mountKind(kind, root) {
  for (const element of elementsOf(kind, root)) {
    if (kind.living.has(element)) continue;
    const controller = new AbortController();
    kind.living.set(element, controller);
    kind.widget.mount(element, controller);
  }
}

/** @param {Kind} kind @param {Element} element */
function letGo({ widget, living }, element) {
  const controller = living.get(element);
  if (!controller) return;
  widget.unmount?.(element);
  living.delete(element);
  controller.abort();
}

/** Say what becomes of each element with `data-widget="name"`, or that the widget's own selector finds.
 * @param {string} name @param {Widget} widget */
export function define(name, widget) {
  /** @type {Kind} */
  const kind = { widget, selector: widget.selector ?? `[data-widget~="${name}"]`, living: new WeakMap() };
  kinds.push(kind);
  mountKind(kind, document);
}

/** Mount what is new: an element and what is below it. htmx tells what it brings by itself.
 * @param {ParentNode} root */
export function mountIn(root) {
  for (const kind of kinds) mountKind(kind, root);
}

/** Let go of an element and of what is below it, before they leave. htmx tells of what it takes away by itself.
 * @param {Element} root */
export function unmountIn(root) {
  for (const kind of kinds) for (const element of elementsOf(kind, root)) letGo(kind, element);
}

document.addEventListener("htmx:load", ({ detail }) => mountIn(detail.elt));
// Of each element, from the outermost to the innermost.
document.addEventListener("htmx:beforeCleanupElement", ({ detail }) => {
  for (const kind of kinds) letGo(kind, detail.elt);
});
