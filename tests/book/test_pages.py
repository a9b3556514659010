"""The built book in a browser: light and dark, wide and narrow, nothing from another host, open to everyone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import icons
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import HTML
from fontTools.ttLib import TTFont
from playwright.sync_api import Browser, BrowserContext, Page
from sources import ROOT, pages

pytestmark = pytest.mark.browser

NAMES = [str(page.relative_to(ROOT).with_suffix(".html")) for page in pages()]
# Bytes over the wire (gzipped) of everything that a first visit loads. MathJax, script and glyphs, comes on top
# on pages with formulas; it is the same for all pages and stays in the reader's cache.
BUDGET, MATHJAX_BUDGET = 500_000, 600_000
SCHEMES = ("light", "dark")
LAPTOP, TELEPHONE = 1280, 390
DRAWN_FORMULAS = "span.math mjx-container, div.math mjx-container"


@dataclass
class Visit:
    """An opened page, and what happened on the way."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)


def open_page(context: BrowserContext, address: str, home: str) -> Visit:
    """Open a page and wait until it has settled.

    Args:
        context: A fresh browser context.
        address: The page.
        home: What every request must begin with.
    """
    visit = Visit(context.new_page())
    page = visit.page
    page.on("console", lambda message: visit.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("requestfailed", lambda request: visit.failed.append(request.url))
    page.on(
        "request", lambda it: None if it.url.startswith((home, "data:", "blob:")) else visit.foreign.append(it.url)
    )
    page.on("response", lambda it: visit.failed.append(f"{it.status} {it.url}") if it.status >= 400 else None)
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    urls: dict[str, str] = {}
    client.on("Network.requestWillBeSent", lambda event: urls.update({event["requestId"]: event["request"]["url"]}))
    client.on(
        "Network.loadingFinished",
        lambda event: visit.weights.update({urls.get(event["requestId"], "?"): int(event["encodedDataLength"])}),
    )
    page.goto(address, wait_until="networkidle")
    page.evaluate("window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true")
    return visit


@pytest.fixture(params=list(product(NAMES, SCHEMES)), ids=lambda it: f"{Path(it[0]).stem}-{it[1]}")
def visit(request: pytest.FixtureRequest, browser: Browser, site: str) -> Iterator[Visit]:
    """Every page, in both schemes, in the window of a laptop."""
    name, scheme = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": LAPTOP, "height": 900})
    yield open_page(context, f"{site}/{name}", site)
    context.close()


def check_size(page: Page) -> None:
    """Nothing is wider than the window, and every drawing is large enough to read."""
    scroll, width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert scroll <= width, f"the page is {scroll} px wide in a window of {width}"
    for diagram in page.locator(".diagram svg").all():
        scale = diagram.evaluate("it => it.getBoundingClientRect().width / it.viewBox.baseVal.width")
        assert scale >= 0.6, f"a diagram is drawn at {scale:.0%} of its size in a window of {width} px"


def check_access(page: Page) -> None:
    """No violation of an accessibility rule."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_page_is_whole_and_open_to_everyone(visit: Visit) -> None:
    page = visit.page
    assert visit.errors == [], "errors in the console"
    assert visit.foreign == [], "requests to other hosts"
    assert visit.failed == [], "failed requests"
    mathjax = sum(size for url, size in visit.weights.items() if "/vendor/mathjax/" in url)
    assert sum(visit.weights.values()) - mathjax <= BUDGET
    assert mathjax <= MATHJAX_BUDGET

    # Formulas: drawn, with no TeX left over in the text.
    assert page.locator(DRAWN_FORMULAS).count() == page.locator(".math").count()
    assert "\\(" not in page.locator("article").inner_text()

    # Pictures: there, of a size, and described.
    for image in page.locator("article img").all():
        image.scroll_into_view_if_needed()
        source = image.get_attribute("src") or ""
        assert image.evaluate("it => it.complete && it.naturalWidth > 0 && it.clientHeight > 20"), (
            f"{source} is empty"
        )
        assert len(image.get_attribute("alt") or "") > 20, f"{source} has no alt text"
    for diagram in page.locator(".diagram").all():
        assert len(diagram.get_attribute("aria-label") or "") > 20
        assert diagram.locator("svg .node, svg .actor").count() > 0, "an empty diagram"

    check_size(page)
    check_access(page)
    page.set_viewport_size({"width": TELEPHONE, "height": 844})
    page.wait_for_timeout(700)  # the theme waits 300 ms before it lets the keyboard scroll what became too wide
    check_size(page)
    check_access(page)


def test_dark_scheme_is_dark(browser: Browser, site: str) -> None:
    lightness = {}
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme)
        page = open_page(context, f"{site}/{NAMES[0]}", site).page
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        lightness[scheme] = sum(int(part) for part in color.strip("rgba()").split(",")[:3]) / 3
        context.close()
    assert lightness["dark"] < 60 < 200 < lightness["light"]


@pytest.mark.parametrize("name", NAMES)
def test_opened_from_disk(name: str, browser: Browser, site: str) -> None:
    context = browser.new_context()
    visit = open_page(context, (HTML / name).as_uri(), HTML.as_uri())
    assert (visit.errors, visit.foreign, visit.failed) == ([], [], [])
    assert visit.page.locator(DRAWN_FORMULAS).count() == visit.page.locator(".math").count()
    context.close()


def test_every_icon_is_in_the_fonts(browser: Browser, site: str) -> None:
    fonts = {file.name: TTFont(file).getBestCmap() for file in (HTML / icons.FONTS).glob("*.woff")}
    there = set().union(*fonts.values())
    context = browser.new_context()
    for name in ("book/glossary.html", NAMES[1]):
        page = open_page(context, f"{site}/{name}", site).page
        shown = page.evaluate(
            """() => [...document.querySelectorAll("*")]
                .flatMap(it => [getComputedStyle(it, "::before"), getComputedStyle(it, "::after")])
                .filter(it => it.fontFamily.includes("Font Awesome") && it.content.startsWith('"'))
                .map(it => it.content.replaceAll('"', ""))"""
        )
        assert len(shown) > 5
        assert {ord(character) for icon in shown for character in icon} <= there
    context.close()


def test_root_leads_to_the_first_page(browser: Browser, site: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site}/")
    page.wait_for_url(f"{site}/book/index.html")
    context.close()


def test_search_finds_a_term(browser: Browser, site: str) -> None:
    context = browser.new_context()
    visit = open_page(context, f"{site}/search.html?q=tokenizer", site)
    visit.page.locator("#search-results li").first.wait_for()
    assert (visit.errors, visit.foreign) == ([], [])
    context.close()


def test_notebook_links_lead_to_the_twin(browser: Browser, site: str) -> None:
    context = browser.new_context()
    page = open_page(context, f"{site}/book/data-cards.html", site).page
    links = page.locator("a[href*='colab.research'], a[href*='mybinder']").evaluate_all(
        "all => all.map(it => it.href)"
    )
    assert links and all(link.endswith("book/data-cards.ipynb") for link in links)
    download = page.locator("a[href*='_sources'][href$='.ipynb']").first.get_attribute("href")
    assert context.request.get(f"{site}/book/{download}").ok
    context.close()


def test_links_between_pages_lead_somewhere(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    targets = set()
    for name in NAMES:
        page.goto(f"{site}/{name}")
        targets |= set(page.locator("a[href]").evaluate_all("all => all.map(it => it.href)"))
    anchors: dict[str, set[str]] = {}
    for target in sorted(link for link in targets if link.startswith(site)):
        path, _, anchor = target.removeprefix(f"{site}/").partition("#")
        file = HTML / path.partition("?")[0]
        assert file.is_file(), f"{target} leads nowhere"
        if anchor and file.suffix == ".html":
            if path not in anchors:
                page.goto(f"{site}/{path}")
                anchors[path] = set(page.locator("[id]").evaluate_all("all => all.map(it => it.id)"))
            assert anchor in anchors[path], f"{target}: there is no such place on the page"
    context.close()


def test_sitemap_lists_every_page(site: str) -> None:
    listed = (HTML / "sitemap.xml").read_text("utf8")
    assert all(f"/{name}</loc>" in listed for name in NAMES)
