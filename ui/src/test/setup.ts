import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach, beforeEach, vi } from "vitest";
import { useConnection } from "../stores/connection";
import { showOverlay } from "../stores/overlays";
import { useToasts } from "../stores/toasts";

// A busy machine: what is waited for may take a while, what fails fails anyway.
configure({ asyncUtilTimeout: 20_000 });

// jsdom lays nothing out. A list of any length needs some size to show rows at all.
const SIZE = { width: 1200, height: 800 };

class FixedResizeObserver implements ResizeObserver {
  readonly #seen: ResizeObserverCallback;
  constructor(seen: ResizeObserverCallback) {
    this.#seen = seen;
  }
  observe(target: Element): void {
    const box = [{ inlineSize: SIZE.width, blockSize: heightOf(target) }];
    const entry = {
      target,
      borderBoxSize: box,
      contentBoxSize: box,
      devicePixelContentBoxSize: box,
    };
    this.#seen([{ ...entry, contentRect: target.getBoundingClientRect() }], this);
  }
  unobserve(): void {}
  disconnect(): void {}
}

globalThis.ResizeObserver = FixedResizeObserver;
const heightOf = (element: Element): number =>
  element.hasAttribute("data-index") ? 40 : SIZE.height;
for (const kind of ["offset", "client"]) {
  Object.defineProperty(HTMLElement.prototype, `${kind}Width`, {
    configurable: true,
    get: () => SIZE.width,
  });
  Object.defineProperty(HTMLElement.prototype, `${kind}Height`, {
    configurable: true,
    get(this: HTMLElement) {
      return heightOf(this);
    },
  });
}
HTMLElement.prototype.scrollTo = function scrollTo() {} as typeof HTMLElement.prototype.scrollTo;
HTMLElement.prototype.scrollIntoView = () => {};
HTMLElement.prototype.setPointerCapture = () => {};
globalThis.CSS ??= { escape: (text: string) => text } as typeof CSS;
window.matchMedia ??= vi.fn().mockImplementation((media: string) => ({
  media,
  matches: false,
  addEventListener: () => {},
  removeEventListener: () => {},
}));

beforeEach(() => {
  window.location.hash = "";
  localStorage.clear();
  sessionStorage.clear();
});

afterEach(() => {
  cleanup();
  useToasts.setState({ toasts: [] });
  showOverlay(null);
  useConnection.setState({ connection: { state: "live" }, retryNow: () => {} });
});
