"""Each section's roster counts over the one that the course keeps, which serves where none is given."""

import zipfile

import pytest

from grader.__main__ import main
from grader.intake import register

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"
ANN, BEN = f"oxann_11_101_{NOTEBOOK}", f"roben_12_102_{NOTEBOOK}"


@pytest.fixture
def term(tmp_path, monkeypatch):
    """The course folder, beside two sections' rosters and a download of both."""
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    (tmp_path / "a.csv").write_text("student_id,name,canvas_id\nann,Ann Ox,11\n")
    (tmp_path / "b.csv").write_text("student_id,name,canvas_id\nben,Ben Ro,12\n")
    zipped(tmp_path / "both.zip", ANN, BEN)
    return tmp_path / "course"


def zipped(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)


def collected(term, source, *options):
    """The exit status, and what is in place, by student."""
    status = main(["collect", "02", str(term.parent / source), *map(str, options)])
    return status, {path.parts[-3]: path.read_text() for path in term.glob("submitted/*/*/*.ipynb")}


def test_a_second_sections_roster_counts_over_the_first(term):
    """What is in place is listed as nobody's no more, with that roster, with the first again, and without."""
    a, b = term.parent / "a.csv", term.parent / "b.csv"
    assert collected(term, "both.zip", "--roster", a) == (1, {"ann": ANN})
    for options in (("--roster", b), (), ("--roster", a)):
        assert collected(term, "both.zip", *options) == (0, {"ann": ANN, "ben": BEN})
        assert register.read(term / "submitted", LAB).unmatched == {}


def test_the_given_roster_wins(term):
    """Of two students whose numbers were mixed up in the first one."""
    wrong, right = term.parent / "wrong.csv", term.parent / "right.csv"
    wrong.write_text("student_id,canvas_id\nann,12\nben,11\ncem,13\n")
    right.write_text("student_id,canvas_id\nann,11\nben,12\n")
    zipped(term.parent / "none.zip", f"x_99_1_{NOTEBOOK}")
    assert collected(term, "none.zip", "--roster", wrong) == (1, {})
    assert collected(term, "both.zip", "--roster", right) == (0, {"ann": ANN, "ben": BEN})


@pytest.mark.parametrize("folder", ["a9/{lab}", "a9+{lab}+2026-11-20 10:00:00 UTC"])
def test_an_exchange_still_needs_no_roster(term, folder):
    """Its user names are ids: neither a stranger's nor one that is somebody's login is looked up."""
    term.mkdir()
    (term / "roster.csv").write_text("student_id,name,login\nann,Ann Ox,a9\n")
    zipped(term.parent / "inbound.zip", f"{folder.format(lab=LAB)}/{NOTEBOOK}")
    assert list(collected(term, "inbound.zip")[1]) == ["a9"]


def test_folders_of_names_are_found_in_the_kept_roster(term):
    term.mkdir()
    (term / "roster.csv").write_text("student_id,name,login\nann,Ann Ox,a9\n")
    zipped(term.parent / "folders.zip", f"Ann Ox/{NOTEBOOK}", "notes.txt")
    assert list(collected(term, "folders.zip")[1]) == ["ann"]
