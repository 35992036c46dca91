"""An instructor in formgrader, the report and the feedback: points count, and no submission acts there."""

import logging
import shutil

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Locator, Page, expect

from grader.__main__ import main
from grader.grade.class_run import grade_class
from grader.results import gradebook
from grader.sandbox.run import Limits
from tests.browser.servers import jupyterlab
from tests.browser.trap import SPRUNG, submission
from tests.grade.mixed import released
from tests.grade.test_hostile import hand_in
from tests.results.test_gradebook import LAB, WRITTEN, graded, row

pytestmark = pytest.mark.browser
ACTIVE = "script, iframe, object, embed, form, base, link, meta[http-equiv=refresh], svg [onload]"
HANDLERS = """() => [...document.querySelectorAll('*')].flatMap(element => [...element.attributes])
    .filter(each => each.name.startsWith('on')).map(each => each.name)"""
LINKS = "() => [...document.links].map(link => link.protocol)"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A course folder with the lab released."""
    folder = shutil.copytree(released(), tmp_path_factory.mktemp("class") / "course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRUNING_LABS_MODEL", "tiny")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PRUNING_LABS_COURSE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def address(empty):
    """JupyterLab, started in the course folder."""
    with jupyterlab(empty, empty) as address:
        yield address


@pytest.fixture(scope="module")
def folder(empty, address):
    """A graded class: ann, all right, and mallory, whose submission is full of traps."""
    hand_in("mallory", {f"{LAB}.ipynb": nbformat.writes(submission()).encode()})
    records = grade_class(LAB, limits=Limits(cell_seconds=60, total_seconds=300, memory=3 * 2**30))
    gradebook.hand_over(LAB, [graded("ann"), *records])
    assert main(["feedback", LAB]) == main(["report", LAB]) == 0
    return empty


def listed(page: Page, address, student: str) -> Locator:
    """A student's row in formgrader's list of those who handed in the lab."""
    page.goto(address(f"formgrader/gradebook/{LAB}/{LAB}"))
    return page.locator("tbody tr").filter(has=page.locator("a.name-shown", has_text=student))


def open_submission(page: Page, address, student: str) -> None:
    """From that list to the student's submission, names shown."""
    entry = listed(page, address, student)
    entry.locator(".glyphicon-eye-open").click()
    entry.locator("a.name-shown").click()
    expect(page.locator(f"#{WRITTEN}_extra_credit")).to_have_attribute("placeholder", "0")  # scores are there
    expect(page.locator(".tabbable:focus")).to_be_attached()  # and keys work


def test_a_grade_given_by_hand(folder, address, page):
    """Points for a written answer change the totals in formgrader, in the gradebook and in the table."""
    assert row("ann")["total"] == "10"
    open_submission(page, address, "ann")
    page.locator(f"input.score#{WRITTEN}").click()
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        page.keyboard.type("2.5")
        page.keyboard.press("Tab")
    assert gradebook.students(LAB)["ann"].score == 12.5
    assert row("ann")[WRITTEN] == "2.5" and row("ann")["total"] == "12.5"
    expect(listed(page, address, "ann").locator("td.score")).to_have_text("12.5 / 13")


def test_traps_spring_where_nothing_tames_them(watched, tmp_path):
    """What the other tests would see if a submission came through as it is."""
    log = logging.Logger("quiet")
    page, _ = HTMLExporter(log=log).from_notebook_node(submission())
    (tmp_path / "page.html").write_text(page)
    watched.page.goto((tmp_path / "page.html").as_uri(), wait_until="commit")
    expect(watched.page).to_have_title(SPRUNG)
    assert watched.dialogs and watched.abroad


def test_a_submission_is_inert_in_formgrader(folder, address, page):
    """Where it would be worst: formgrader is served by what can run code as the instructor."""
    open_submission(page, address, "mallory")
    page.wait_for_load_state("networkidle")
    assert SPRUNG in page.inner_text("#notebook")
    expect(page).to_have_title(LAB)
    assert page.locator("#notebook-container").locator(ACTIVE).count() == 0
    assert set(page.evaluate(LINKS)) <= {"http:", "https:", ":"}


def test_a_submission_is_inert_in_the_report_and_the_feedback(folder, page):
    """From the report one click leads to a student's feedback; both run nothing and ask for nothing."""
    page.goto((folder / f"report_{LAB}.html").as_uri())
    assert SPRUNG in page.inner_text("main")
    still(page)
    mallory = page.locator("section.student").filter(has_text="mallory")
    mallory.get_by_role("link", name="Feedback page").click()
    expect(page).to_have_title("Lab 02: magnitude pruning: mallory")
    assert SPRUNG in page.inner_text("#notebook")
    still(page)


def still(page: Page) -> None:
    """Nothing on this page can act."""
    page.wait_for_load_state("networkidle")
    assert SPRUNG not in page.title()
    assert page.locator(ACTIVE).count() == 0
    assert page.evaluate(HANDLERS) == []
    assert set(page.evaluate(LINKS)) <= {"file:", "http:", "https:", ":"}


TORN = """() => {
  const torn = [], range = document.createRange();
  for (const cell of document.querySelectorAll("td")) {
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode()); ) {
      if (node.parentElement.closest("bdi")) continue;  // a name of any length
      for (const word of node.data.matchAll(/\\S+/g)) {
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) torn.push(word[0]);
      }
    }
  }
  return torn;
}"""


def test_no_word_of_the_report_is_torn(folder, page):
    """A narrow column is as wide as its longest word, and the page is no wider than the screen."""
    page.goto((folder / f"report_{LAB}.html").as_uri())
    assert page.locator("#alike ~ .scroll a[aria-label$='side by side']").count()
    for width in (390, 700, 1100):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(TORN) == [], width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
