"""Widgets in headless Chromium: they come with their elements, and nothing of them stays behind."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from loom.tests.fixtures import Loom
from loom.tests.looking import settle

pytestmark = pytest.mark.browser
# The module's own address, whatever name it was given when static files were collected.
KIT = """(() => new URL("kit.js", document.querySelector("script[src*='/js/page']").src).href)()"""
DEFINE = """async (kit) => {
  const { define, mountIn, unmountIn } = await import(kit);
  window.log = [];
  window.kit = { mountIn, unmountIn };
  document.getElementById("main").innerHTML = "<p data-widget='one probe' id='first'></p>";
  define("probe", {
    mount(element, { signal }) {
      window.log.push(`+${element.id}`);
      document.addEventListener("ping", () => window.log.push(`heard ${element.id}`), { signal });
    },
    unmount: (element) => window.log.push(`-${element.id}`),
  });
}"""
SWAP = """(swapStyle) => htmx.swap(document.getElementById("main"),
  "<section><p data-widget='probe' id='second'></p></section>", { swapStyle })"""
PING = "() => { window.log.length = 0; document.dispatchEvent(new Event('ping')); return window.log; }"


def test_a_widget_comes_and_goes_with_its_element_and_hears_nothing_afterwards(page: Page, loom: Loom) -> None:
    page.goto(f"{loom.url}/agents/")
    settle(page)
    page.evaluate(DEFINE, page.evaluate(KIT))
    assert page.evaluate("window.log") == ["+first"]

    page.evaluate(SWAP, "beforeend")
    assert page.evaluate("window.log") == ["+first", "+second"]
    assert page.evaluate(PING) == ["heard first", "heard second"]

    page.evaluate(SWAP.replace("second", "third"), "innerHTML")
    *gone, come = page.evaluate("window.log.slice(2)")
    assert (sorted(gone), come) == (["-first", "-second"], "+third")
    assert page.evaluate(PING) == ["heard third"]
    page.evaluate("kit.mountIn(document)")  # what lives is not mounted twice
    page.evaluate("kit.unmountIn(document.getElementById('main')); kit.unmountIn(document.getElementById('main'))")
    assert page.evaluate("window.log.slice(1)") == ["-third"]
    assert page.evaluate(PING) == []
