"""A student in JupyterLab: are the words of the checks and of the Validate button there to be read?"""

import inspect
import subprocess
import sys
import zipfile

import pytest
from playwright.sync_api import Locator, Page, expect

from grader.author.release import students_zip
from tests.browser.servers import jupyterlab
from tests.results.test_gradebook import LAB
from tests.wrong_answers import magnitude_mask as answers

pytestmark = pytest.mark.browser


@pytest.fixture
def notebook(page: Page, tmp_path) -> Page:
    """Lab 02 of the students' zip, open in JupyterLab."""
    archive = tmp_path / "students.zip"
    archive.write_bytes(students_zip([LAB]))
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path)
    folder = tmp_path / "pruning-labs"
    subprocess.run([sys.executable, "-c", "import start; start.lay_out()"], cwd=folder, check=True)
    with jupyterlab(folder, folder / "notebooks") as address:
        page.goto(address(f"lab/tree/{LAB}/{LAB}.ipynb"))
        page.wait_for_load_state("networkidle")  # on its way JupyterLab starts a kernel and takes another one
        expect(page.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible()
        expect(cell(page, "check.magnitude_mask(")).to_be_attached()
        yield page


def cell(page: Page, text: str) -> Locator:
    """The code cell that holds this text."""
    return page.locator(".jp-Notebook .jp-CodeCell").filter(has=page.locator(".cm-content", has_text=text))


def answer(page: Page, function) -> Locator:
    """Write a function into its exercise, run it and the check below; the output of the check."""
    exercise = cell(page, "def magnitude_mask(").locator(".cm-content")
    exercise.click()
    page.keyboard.press("Control+A")
    source = inspect.getsource(answers._checked) + inspect.getsource(answers.right_kthvalue)
    source += inspect.getsource(function).replace(function.__name__, "magnitude_mask")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")
    check = cell(page, "check.magnitude_mask(")
    check.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    return check.locator(".jp-OutputArea")


def test_a_lab_from_stub_to_pass(notebook):
    """Run the untouched lab, make the common mistake, read its name, mend it, and let the button judge."""
    notebook.get_by_role("menuitem", name="Run", exact=True).click()
    notebook.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    said = cell(notebook, "check.magnitude_mask(").locator(".jp-OutputArea")
    expect(said).to_contain_text("Check 2.1  magnitude_mask: not written yet")
    expect(answer(notebook, answers.inverted)).to_contain_text("It looks as if the mask is inverted")
    expect(said).to_contain_text("magnitude_mask: not yet (")
    expect(said).not_to_contain_text("Traceback")
    expect(answer(notebook, answers.right_topk)).to_contain_text("Check 2.1  magnitude_mask: all")

    notebook.get_by_role("button", name="Validate").click()
    verdict = notebook.get_by_role("dialog")
    expect(verdict).to_contain_text("check.prune_magnitude(prune_magnitude)")
    expect(verdict).to_contain_text("check.global_magnitude_masks(global_magnitude_masks)")
    expect(verdict).not_to_contain_text("check.magnitude_mask(magnitude_mask)")


def test_the_last_cell_shuts_the_lab_down(notebook):
    """One press, and the kernel has ended; what is seen stays, and a new kernel is one menu away."""
    for shown in ("from labsupport import", "closing.button()"):
        cell(notebook, shown).first.locator(".cm-content").click()
        notebook.keyboard.press("Shift+Enter")
    notebook.get_by_role("button", name="Shut this lab down").click()
    expect(notebook.get_by_role("button", name="No Kernel")).to_be_visible()
    expect(cell(notebook, "closing.button()")).to_contain_text("This lab's memory is free again")
    notebook.get_by_role("menuitem", name="Kernel", exact=True).click()
    notebook.get_by_text("Restart Kernel…", exact=True).click()
    expect(notebook.get_by_role("button", name="Python 3 (ipykernel) | Idle")).to_be_visible()
