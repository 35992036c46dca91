"""The pages of the site in Chromium: on a screen, on a phone, on paper, by keys, light and dark."""

import os
import shutil
import statistics
from pathlib import Path

import pytest

from grader import course
from grader.course import ROOT
from tests.course.site_pages import LAB, path_of

pytestmark = [pytest.mark.alone, pytest.mark.slow, pytest.mark.browser]
TABLES = "[...document.querySelectorAll('article .table-wrapper')]"
WIDE = f"{TABLES}.filter((box) => box.scrollWidth > box.clientWidth + 1)"
LETTERS = """() => [...document.querySelectorAll("article section > p")].flatMap((p) => {
  if (p.querySelector("math")) return [];
  const letter = document.createRange(), lines = new Map();
  const walk = document.createTreeWalker(p, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) for (let at = 0; at < walk.currentNode.length; at++) {
    letter.setStart(walk.currentNode, at);
    letter.setEnd(walk.currentNode, at + 1);
    const box = letter.getBoundingClientRect(), row = Math.round(box.bottom / 8);
    if (box.width) lines.set(row, (lines.get(row) || 0) + 1);
  }
  return [...lines.values()].slice(0, -1);
})"""  # letters of each line of prose but a paragraph's last
DRAWN = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"  # resized, too
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def chromium():
    """A browser that asks nothing of other machines."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM and "PRUNING_LABS_CHROMIUM" not in os.environ:
        pytest.skip("no Chromium here: Debian's `chromium`")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu", "--no-sandbox"])
        yield browser
        browser.close()


def opened(browser, path: Path, width: int, **how):
    """A page in a window of this width."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, **how)
    tab.goto(path.as_uri())
    return tab


def _refused(request) -> bool:
    """Whether a request failed by itself; a picture below the fold is let go when the tab goes on."""
    return request.failure != "net::ERR_ABORTED"


def test_no_page_has_an_error_in_a_browser(chromium, pages):
    """In Chromium, as wide as a screen and as a phone: no error, no request elsewhere, nothing too wide."""
    said: list[str] = []
    for width in (1300, 390):
        tab = chromium.new_page(viewport={"width": width, "height": 900})
        tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("requestfailed", lambda request: said.append(request.url) if _refused(request) else None)
        tab.on("request", lambda request: request.url.startswith("http") and said.append(request.url))
        for path in pages:
            tab.goto(path.as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, path.name
    tab.goto(path_of(pages, LAB).as_uri())
    summary = tab.locator("summary", has_text="Answer: magnitude_mask")
    answer = tab.locator("details", has=summary).locator("pre")
    assert not answer.is_visible()
    summary.press("Enter")
    assert answer.is_visible()
    tab.close()
    assert not said


def test_nothing_keeps_anybody_from_reading(chromium, pages):
    """axe-core finds no violation on any page: contrast, names of controls, order, what keys can reach.

    On a screen, and on a phone; by night the colours, for nothing else changes. Colours on a phone differ in
    the page's head alone, which is the same everywhere: those of one page and one lab are looked at.
    """
    script = ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists() and "PRUNING_LABS_CHROMIUM" not in os.environ:
        pytest.skip("axe-core is not installed: make .venv/axe")
    contrast = "color-contrast"  # the rule that takes longest
    settings = [
        (1280, "light", {}),
        (1280, "dark", {"runOnly": [contrast]}),
        (390, "light", {"rules": {contrast: {"enabled": False}}}),
    ]
    found = []
    for path in pages:
        tab = opened(chromium, path, 1280)
        tab.add_script_tag(path=script)
        on_a_phone = [(390, scheme, {"runOnly": [contrast]}) for scheme in ("light", "dark")]
        for width, scheme, rules in settings + on_a_phone * (path.stem in ("index", course.labs()[1])):
            tab.set_viewport_size({"width": width, "height": 900})
            tab.emulate_media(color_scheme=scheme)
            tab.evaluate(DRAWN)
            result = tab.evaluate("rules => axe.run(document, rules)", rules)
            found += [
                f"{path.stem}, {width}, {scheme}: {each['id']}: {node['html'][:150]}"
                for each in result["violations"]
                for node in each["nodes"]
            ]
        tab.close()
    assert not found, "\n".join(found[:20])


def test_lines_are_as_long_as_one_reads_with_ease(chromium, pages):
    """65 to 80 letters on a screen, in the middle: the full lines of every lab's prose, counted."""
    letters = []
    for lab in course.labs():
        tab = opened(chromium, path_of(pages, lab), 1300)
        letters += tab.evaluate(LETTERS)
        tab.close()
    middle = statistics.median(letters)
    assert len(letters) > 100 and 62 <= middle <= 80, (len(letters), middle)


def test_a_page_is_walked_by_keys(chromium, pages):
    """At 1280 "On this page" is a fold that keys open; on a phone they open the list of pages."""
    tab = opened(chromium, path_of(pages, LAB), 1280)
    tab.locator(".here summary").press("Enter")
    link = tab.locator(".here nav a", has_text="2.1 magnitude_mask").first
    assert link.is_visible()
    link.press("Enter")
    assert tab.url.endswith("magnitude-mask")
    tab.set_viewport_size({"width": 390, "height": 900})
    assert not tab.locator(".sidebar-tree a").first.is_visible()
    tab.locator("button.nav-overlay-icon").press("Enter")
    assert tab.locator(".sidebar-tree a").first.is_visible()
    tab.close()


@pytest.mark.parametrize(
    "word, page",
    [
        ("perplexity", "01 Perplexity"),
        ("wanda", "03 Wanda calibration"),
        ("mask", "04 Wanda pruning"),
        ("2:4", "04 Wanda pruning"),
        ("LoRA", "06 Recovery"),
        ("nbgrader", "On a JupyterHub"),
        ("GPU", "GPU"),
        ("deadline", "An instructor’s term"),
        ("plagiarism", "An instructor’s term"),
    ],
)
def test_the_search_finds_a_word(chromium, pages, word, page):
    """Opened as a file, without a server: what people look for; labs and guides before functions."""
    tab = opened(chromium, path_of(pages, "index"), 1300)
    tab.locator(".sidebar-search").fill(word)
    tab.locator(".sidebar-search").press("Enter")
    found = tab.locator("#search-results li a")
    found.get_by_text(page, exact=True).first.wait_for(timeout=20_000)  # results come one after the other
    assert "labsupport" not in found.first.inner_text()
    tab.close()


def test_on_a_phone_what_is_wider_says_so(chromium, pages):
    """No column of a table is lost: where one does not fit, a line above says that the table scrolls."""
    tab = opened(chromium, path_of(pages, "index"), 390)
    assert tab.evaluate(f"{WIDE}.length")
    assert tab.evaluate(f"{WIDE}.every((box) => box.classList.contains('wide') && box.tabIndex === 0)")
    tab.close()


def test_paper_has_the_answers(chromium, pages):
    """Printed, folds are open, and what leads through the site is gone; afterwards they are closed."""
    tab = opened(chromium, path_of(pages, LAB), 1300)
    tab.emulate_media(media="print")
    assert not tab.locator(".skip-to-content").is_visible()
    tab.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.locator("details.fold pre").first.is_visible()
    tab.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not tab.locator("details.fold[open]").count()
    tab.close()


def test_the_bars_of_a_norm_are_of_one_height(chromium, pages):
    """Lab 03's norms, as Chromium draws them."""
    tab = opened(chromium, path_of(pages, "03_wanda_calibration"), 1300)
    tab.evaluate("document.fonts.ready")
    heights = tab.evaluate(
        """() => [...document.querySelectorAll("div.math")].map((formula) =>
        [...formula.querySelectorAll("mo")].filter((mo) => mo.textContent === "‖")
          .map((mo) => Math.round(mo.getBoundingClientRect().height)))"""
    )
    assert any(heights) and all(len(set(each)) <= 1 for each in heights), heights
    tab.close()


def test_formulas_have_their_font(chromium, pages):
    """With it a root covers the whole fraction below it."""
    tab = opened(chromium, path_of(pages, LAB), 1300)
    assert tab.evaluate("document.fonts.ready.then(() => document.fonts.check('16px \"Labs Math\"'))")
    assert tab.evaluate(
        "[...document.fonts].some((font) => font.family.includes('Labs Math') && font.status === 'loaded')"
    )
    tab.close()
