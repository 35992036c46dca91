"""A reader alone: the site is whole, tells its figures in words and folds its answers."""

import platform
import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import matplotlib
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt
from nbformat import v4
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grader import course
from grader.author import source
from grader.course import ROOT
from labsupport import comparison, plots
from labsupport.errors import LabError
from labsupport.figure_text import describe
from tests.course.site_pages import LAB, build, one

pytestmark = [pytest.mark.alone, pytest.mark.slow]  # kernels run beside the tests


def visible(page: BeautifulSoup) -> str:
    """The text of the article with everything folded taken away."""
    article = BeautifulSoup(str(page.find("article")), "html.parser")
    for each in article.find_all("details"):
        assert not each.has_attr("open"), each.get_text()[:80]
        each.decompose()
    return article.get_text()


def words(text: str) -> str:
    """The words of a text alone: its markup differs from the page's."""
    return " ".join(re.findall("[A-Za-z]+", text))


def test_no_link_leads_nowhere(pages):
    """A reader who follows a link, or whose page loads a script or an image, finds a file and its place."""
    for path, page in pages.items():
        for tag in page.find_all(href=True) + page.find_all(src=True):
            link = urlsplit(tag.get("href") or tag.get("src"))
            if link.scheme in ("http", "https"):
                assert tag.name == "a", f"{path.name} loads {link.geturl()}"
                continue
            if link.scheme == "data":
                continue
            target = (path.parent / unquote(link.path)).resolve() if link.path else path
            assert target.is_file(), f"{path.name}: {link.geturl()}"
            if link.fragment and target in pages:
                assert pages[target].find(id=unquote(link.fragment)), f"{path.name}: {link.geturl()}"


def test_a_lab_that_is_not_there_is_no_link(monkeypatch):
    """Lab 00 lists all labs; a site of two of them names the others without a link."""
    monkeypatch.syspath_prepend(str(ROOT / "site"))
    from walkthrough import links

    listed = "".join(cell.text for cell in source.read("00_start_here"))
    assert f"../{LAB}/{LAB}.ipynb" in listed
    few = links(listed, ["00_start_here", LAB])
    assert "04 Wanda pruning" in few and set(re.findall(r"\]\((\d\d_\w+)", few)) == {LAB}


def test_every_figure_is_told_in_words(pages):
    """Who cannot see a figure reads its title, what its axes are and the numbers of its series."""
    for name, least in (("index", 1), ("00_start_here", 1), ("02_magnitude_pruning", 4)):
        told = [image.get("alt", "") for image in one(pages, name).find("article").find_all("img")]
        assert len(told) >= least
        assert all(len(text) > 60 and "Across" in text for text in told), told
    assert "magnitude, per matrix: " in " ".join(
        image["alt"] for image in one(pages, "02_magnitude_pruning").find_all("img")
    )


@pytest.mark.parametrize("lab", course.labs())
def test_answers_are_folded_and_checks_are_not(pages, lab):
    """A reader can try first: signature and check are in sight, answers and rubrics behind a summary."""
    page = one(pages, lab)
    seen, folded = visible(page), " ".join(each.get_text() for each in page.find_all("details"))
    for cell in source.read(lab):
        if cell.kind == "exercise":
            answer = re.search(r"BEGIN SOLUTION\n(.+)\n *### END", cell.text, re.DOTALL)[1]
            assert f"def {cell.name}(" in seen and "raise NotImplementedError" in seen
            assert answer in folded and answer not in seen
        elif cell.kind == "check":
            assert re.search(rf"^Check \d+\.\d+  {cell.name}: all \d+ parts pass$", seen, re.MULTILINE)
        elif cell.kind in ("written", "answer"):
            start = words(cell.text)[:40]
            assert start in words(folded) and start not in words(seen)
    assert "BEGIN SOLUTION" not in seen + folded


def test_formulas_are_set_without_a_script(pages):
    """Formulas stand in the page itself: no TeX is left over, and none waits for a script from a network."""
    page = one(pages, "02_magnitude_pruning")
    assert page.find("math")
    assert "\\mathrm" not in page.get_text()
    assert not [script["src"] for script in page.find_all("script", src=True) if "math" in script["src"]]


def test_a_lab_shows_what_its_checks_say_of_wrong_answers(pages):
    """A reader sees both faces of a check, and finds three named mistakes of every exercise on one page."""
    seen, page = visible(one(pages, LAB)), one(pages, "wrong")
    for cell in source.read(LAB):
        if cell.kind == "check":
            assert re.search(rf"^Check \d+\.\d+  {cell.name}: not yet", seen, re.MULTILINE)
            section = page.find("section", id=f"wrong-{cell.name.replace('_', '-')}")
            folds = section.find_all("details")
            assert len(folds) == 3 and len({fold.summary.get_text() for fold in folds}) == 3
            for fold in folds:
                text, named = (" ".join(each.get_text().split()) for each in (fold, fold.summary))
                assert f"{cell.name}: not yet" in text and "def " in text
                assert text.count(named) == 2  # the summary is what the message says


def test_the_page_of_a_builder_names_no_machine(pages):
    """Whoever publishes the site publishes no path and no hardware of the machine that built it."""
    private = [str(ROOT), str(Path.home()), platform.node(), "GB of it free", "free disk"]
    for path, page in pages.items():
        text = page.get_text()
        assert not [word for word in private if len(word) > 3 and word in text], path.name


def test_every_guide_is_a_page(pages):
    """From the first page each is one step away, and one follows the other."""
    shown = {a["href"] for a in one(pages, "index").find_all("a", href=True)}
    guides = {f"docs/{path.stem}.html" for path in (ROOT / "docs").glob("*.md")}
    assert guides <= shown and {"CONTRIBUTING.html", "SECURITY.html", "api/labs.html"} <= shown
    assert one(pages, "docs/instructor").find("a", class_="next-page")


def test_the_api_has_what_the_labs_call(pages):
    """Whoever writes a lab finds the functions with shapes and errors, and no page of the judges."""
    text = one(pages, "api/labs").get_text()
    for name in ("labsupport.models", "corpora.windows", "Axis letters", "LabError"):
        assert name.rpartition(".")[2] in text


def test_every_figure_is_in_the_gallery(pages):
    """And leads to the cell that draws it."""
    shown = [a["href"] for a in one(pages, "gallery").select(".gallery a")]
    drawn = [image for lab in course.labs() for image in one(pages, lab).find("article").find_all("img")]
    assert len(shown) == len(set(shown)) == len(drawn)


def test_notebooks_and_zip_are_there(site, pages):
    """Who has read a lab takes it along as students get it."""
    for lab in course.labs():
        there = site / "html" / "notebooks" / f"{lab}.ipynb"
        assert there.read_bytes() == course.notebook(lab).read_bytes()
    assert zipfile.is_zipfile(site / "html" / "students.zip")
    assert one(pages, LAB).find("a", href="students.zip")
    link = one(pages, "index").find("a", href=re.compile(r"\.tar\.gz$"))["href"]
    with tarfile.open(site / "html" / link) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    here = Path(__file__).relative_to(ROOT).as_posix()
    assert {"Makefile", ".ci/run", ".github/ISSUE_TEMPLATE/check.yml", "grader/__main__.py", here} <= packed


def test_the_first_page_has_every_method(pages):
    """The closing comparison stands in front, computed: a line for each method, a figure below it."""
    article = one(pages, "index").find("article")
    rows = [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in article.find_all("tr")]
    assert [row[0] for row in rows if row] == list(comparison.METHODS)
    assert all(re.search(r"\d", cell) for row in rows for cell in row[1:])
    assert article.find("img") and not article.find("div", class_="cell_input")


def test_sources_and_licences_are_named(pages):
    """Whoever passes the site on knows whose the model, the texts and the documents are."""
    said = one(pages, "sources").get_text()
    for part in (
        "SmolLM2",
        "Apache-2.0",
        "State of the Union",
        "public domain",
        "Shin",
        "Herbst",
        "Wanda",
        "MIT",
    ):
        assert part in said


def test_a_second_build_runs_no_lab_again(site, pages):
    """Who mends a word of prose does not wait minutes for what has been computed."""
    before = {path: path.stat().st_mtime_ns for path in (site / "executed").iterdir()}
    done = build(site)
    assert done.returncode == 0, done.stderr
    assert "..." not in done.stdout
    assert {path: path.stat().st_mtime_ns for path in (site / "executed").iterdir()} == before


def test_a_lab_that_fails_is_named(site, tmp_path, monkeypatch):
    """When a lab breaks, the sentence says which one and how, and nothing is kept of it."""
    monkeypatch.syspath_prepend(str(ROOT / "site"))
    monkeypatch.delitem(sys.modules, "build", raising=False)
    import build as builder

    with pytest.raises(SystemExit) as end:
        builder.main(["--version"])
    assert not end.value.code
    broken = v4.new_notebook(cells=[v4.new_code_cell("1 / 0")])
    with pytest.raises(LabError, match="03_some_lab does not run to its end: ZeroDivisionError"):
        builder.executed("03_some_lab", broken, tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_builds_the_site_is_pinned():
    """`make site` brings the versions that the site was tested with, and nobody else installs them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
    pinned = {canonicalize_name(name): version for name, version in lines.items()}
    site = [Requirement(line) for line in project["optional-dependencies"]["site"]]
    assert all(each.specifier.contains(pinned[canonicalize_name(each.name)]) for each in site)
    others = project["dependencies"] + project["optional-dependencies"]["dev"]
    assert not {each.name for each in site} & {Requirement(line).name for line in others}


def test_a_figure_in_words_has_its_numbers(monkeypatch):
    """Names stand by their values; a long curve is told by its ends and extremes."""
    matplotlib.use("Agg")
    told = []
    monkeypatch.setattr(plots, "show", lambda: (told.append(describe(plt.gcf())), plt.close()))
    plots.bars({"mlp": 90.25, "attention": 41.0}, 25.6, "The MLP minds most", "perplexity")
    plots.loudness_by_depth({"q_proj": {layer: 10.0 + (layer == 7) for layer in range(30)}}, "Loud")
    plots.shares_with_errors({"dense": {"acc": (0.31, 0.02)}}, {"acc": 0.25}, "Chance", "accuracy")
    assert told[0] == "The MLP minds most. Across: perplexity. attention = 41, mlp = 90.25. dense 25.6."
    assert "q_proj: 10 at 0, 11 at 7, 10 at 29." in told[1]
    assert "Up: accuracy. dense: acc = 0.31." in told[2]
