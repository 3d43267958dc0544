/* What the types of the DOM cannot know: which element a selector finds, and what an event carries, htmx's own among
   them. Such a value is whatever the code takes it for; everything that JSDoc names is checked. */

type Listener = (event: any) => unknown;
type Listening = boolean | AddEventListenerOptions;

interface ParentNode {
  querySelector(selectors: string): any;
  querySelectorAll(selectors: string): NodeListOf<any>;
}

/** The targets of our events are elements. */
interface EventTarget {
  addEventListener(type: string, listener: Listener, options?: Listening): void;
}

interface Element {
  dataset: DOMStringMap;
  hidden: any;
  open: any;
  closest(selectors: string): any;
}

interface Document {
  addEventListener(type: string, listener: Listener, options?: Listening): void;
  getElementById(id: string): any;
}

/** What a template of ours holds. */
interface DocumentFragment {
  readonly firstElementChild: any;
}

interface HTMLElement {
  addEventListener(type: string, listener: Listener, options?: Listening): void;
}

interface HTMLDetailsElement {
  addEventListener(type: string, listener: Listener, options?: Listening): void;
}

interface HTMLDialogElement {
  addEventListener(type: string, listener: Listener, options?: Listening): void;
}

interface HTMLFormElement {
  addEventListener(type: string, listener: Listener, options?: Listening): void;
}

interface HTMLFormControlsCollection {
  [Symbol.iterator](): ArrayIterator<any>;
}

interface ObjectConstructor {
  /** A form's fields by their names. */
  fromEntries(entries: FormData): any;
}

/** django-htmx brings it; pages work without. */
interface Window {
  htmx?: any;
}
