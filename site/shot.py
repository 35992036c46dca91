"""README's picture, docs/check-and-report.png: `python site/shot.py`. Needs bubblewrap and Chromium; minutes.

On the left what a check says of a wrong answer; on the right what the report says of a class of twelve who
hand in answers of tests/wrong_answers, graded in the sandbox on the tiny model. The file holds what it shows
as text, too, so that a test can say when it is no longer true.
"""

import argparse
import base64
import html
import io
import os
import shutil
import tempfile
from pathlib import Path

os.environ["PRUNING_LABS_MODEL"] = "tiny"

import nbformat
from mistakes import answers, judged
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

from grader import course
from grader.author import notebooks
from grader.author.release import release
from grader.grade.class_run import grade_class
from grader.results import gradebook, report
from labsupport import __version__

LAB, SHOWN = "02_magnitude_pruning", ("magnitude_mask", "by_row")
CLASS = {  # student -> wrong answers by exercise
    "ada": {}, "ben": {"magnitude_mask": "truncated"}, "cleo": {"magnitude_mask": "by_row"},
    "dan": {"magnitude_mask": "inverted"}, "eve": {}, "finn": {"magnitude_mask": "by_row"},
    "gil": {"magnitude_mask": "signed"}, "hal": {"magnitude_mask": "by_row"}, "ines": {}, "jon": {},
    "kai": {"magnitude_mask": "truncated"}, "lea": {},
}  # fmt: skip
PICTURE = course.ROOT / "docs" / "check-and-report.png"
WRONG = course.ROOT / "tests" / "wrong_answers"
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 28px; width: 1344px; display: grid; grid-template-columns: 690px 1fr; gap: 28px;
  background: #fff; font: 16px/1.5 "DejaVu Sans", sans-serif; color: #1c2733; }}
h2 {{ font-size: 17px; margin: 0 0 10px; }} pre {{ margin: 0; font: 13px/1.5 "DejaVu Sans Mono", monospace; }}
.cell {{ border: 1px solid #d9dfe5; border-left: 4px solid #1f5a92; padding: 9px 14px; background: #f5f7f9 }}
.said {{ padding: 12px 14px; border: 1px solid #d9dfe5; border-top: 0; }} img {{ width: 100%; }}
</style><div><h2>A check names the mistake</h2><pre class="cell">check.{name}({name})</pre>
<pre class="said">{said}</pre></div>
<div><h2>The report counts it in a class</h2><img src="data:image/png;base64,{image}"></div>"""


def main(arguments: list[str] | None = None) -> None:
    """Grade the class, and draw."""
    reader = argparse.ArgumentParser(prog="python site/shot.py", description=__doc__)
    reader.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    reader.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        os.environ["PRUNING_LABS_COURSE"] = folder
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        release([LAB])
        for student, wrong in CLASS.items():
            path = Path(folder, "submitted", student, LAB, f"{LAB}.ipynb")
            path.parent.mkdir(parents=True)
            path.write_text(nbformat.writes(submission(wrong)), encoding="utf-8")
        gradebook.hand_over(LAB, grade_class(LAB, workers=2))
        tab = browser.new_page(viewport={"width": 640, "height": 900}, device_scale_factor=2)
        tab.goto(report.write(LAB, Path(folder, "report.html")).as_uri())
        exercise = tab.locator(f"#exercise-{SHOWN[0]}")
        image, reported = base64.b64encode(exercise.screenshot()).decode(), exercise.inner_text()
        name, function = SHOWN
        said = judged(name, next(each for each in answers(WRONG / f"{name}.py") if each.__name__ == function))
        tab = browser.new_page(viewport={"width": 1400, "height": 400}, device_scale_factor=1.5)
        tab.set_content(PAGE.format(name=name, said=html.escape(said.message()), image=image))
        keep(tab.screenshot(full_page=True), {"check": said.message(), "report": reported})
        browser.close()


def keep(png: bytes, texts: dict[str, str]) -> None:
    """Write the picture with its texts inside."""
    about = PngInfo()
    for name, text in texts.items():
        about.add_itxt(name, text)
    Image.open(io.BytesIO(png)).save(PICTURE, pnginfo=about, optimize=True)


def submission(wrong: dict[str, str]):
    """The lab with right answers, but for these."""
    notebook = nbformat.from_dict(notebooks.solved_notebook(LAB))
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in wrong:
            cell.source = f"{(WRONG / f'{name}.py').read_text(encoding='utf-8')}\n\n{name} = {wrong[name]}\n"
    return notebook


if __name__ == "__main__":
    main()
