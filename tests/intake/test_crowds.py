"""A folder with very many files, or one that cannot be read, costs its sender a sentence, and nobody else."""

import contextlib
import os
import tempfile
import zipfile
from pathlib import Path

import pytest

from grader.intake import crowds
from grader.intake.collect import COLLECTED, REFUSED, collect, needs_attention
from grader.intake.crowds import crowded, fullest
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"


@pytest.fixture
def submitted(tmp_path):
    return tmp_path / "course" / "submitted"


@pytest.fixture(params=["folder", "zip"])
def handed_in(request, tmp_path):
    """A function that makes a download of files, as a folder or as a zip."""

    def make(names) -> Path:
        place = tmp_path / "download"
        if request.param == "zip":
            with zipfile.ZipFile(place.with_suffix(".zip"), "w") as archive:
                for name in names:
                    archive.writestr(name, b"{}")
            return place.with_suffix(".zip")
        for name in names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(b"{}")
        return place

    return make


def outcomes(arrivals):
    return {(arrival.student, arrival.outcome) for arrival in arrivals}


CLASS = [f"s{number}/{NOTEBOOK}" for number in range(8)]


def test_an_environment_beside_the_notebook_is_left_out(handed_in, submitted, monkeypatch):
    """Its sender's notebook is taken all the same."""
    monkeypatch.setattr(crowds, "MOST_FILES", 20)
    source = handed_in([*CLASS, *(f"s3/env/lib/{number}.py" for number in range(50))])
    arrivals = collect(LAB, source, submitted)
    assert {path.parent.parent.name for path in submitted.rglob(NOTEBOOK)} == {f"s{n}" for n in range(8)}
    (refused,) = [arrival for arrival in arrivals if arrival.outcome == REFUSED]
    assert (refused.origin, refused.notes) == ("s3/env/lib", ("Not read: it holds 50 files.",))
    assert needs_attention(arrivals)


def test_a_sender_of_very_many_files_stops_nobody(handed_in, submitted, monkeypatch):
    monkeypatch.setattr(crowds, "MOST_FILES", 20)
    source = handed_in([*CLASS, *(f"many/{number}/{other}" for number in range(10) for other in range(5))])
    arrivals = collect(LAB, source, submitted)
    assert sum(arrival.outcome == COLLECTED for arrival in arrivals) == 8
    assert ("many", ("Not read: it holds 50 files.",)) in {(each.origin, each.notes) for each in arrivals}


def test_hidden_folders_count_for_nothing(handed_in, submitted, monkeypatch):
    """.git and .venv are not looked into; a sender of nothing else is named."""
    monkeypatch.setattr(crowds, "MOST_FILES", 20)
    hidden = [
        f"{name}/{folder}/{n}" for name in ("s1", "s2") for folder in (".git", ".venv") for n in range(40)
    ]
    arrivals = collect(LAB, handed_in([*CLASS, *hidden]), submitted)
    assert {arrival.outcome for arrival in arrivals} == {COLLECTED} and not needs_attention(arrivals)


def test_very_many_files_of_many_are_refused(monkeypatch):
    monkeypatch.setattr(crowds, "MOST_FILES", 20)
    with pytest.raises(LabError, match="more than 20 files"):
        crowded([(f"s{number}", "file") for number in range(21)], Path("download"))
    with pytest.raises(LabError, match="more than 20 files"):
        crowded([("all", f"s{number}", "file") for number in range(21)], Path("download"))


def test_the_fullest_folder_is_the_deepest_with_more_than_half():
    files = [("a", "b", "c", str(number)) for number in range(9)] + [("a", "x"), ("y",)]
    assert fullest(files) == ("a", "b", "c")
    assert fullest([("a", "1"), ("b", "2")]) == ()


@contextlib.contextmanager
def closed(folder: Path):
    """A context in which nobody may look into a folder, root excepted: root becomes another user."""
    folder.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def open_to_all():
    """A folder that every user may write."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


def test_a_folder_that_cannot_be_read_is_named(open_to_all):
    """os.walk leaves it out without a word."""
    source, submitted = open_to_all / "download", open_to_all / "course" / "submitted"
    for student in ("ann", "ben"):
        (source / student).mkdir(parents=True)
        (source / student / NOTEBOOK).write_bytes(b"{}")
    with closed(source / "ben"):
        arrivals = collect(LAB, source, submitted)
    assert outcomes(arrivals) == {("ann", COLLECTED), (None, REFUSED)} and needs_attention(arrivals)
    assert "the folder cannot be read: Permission denied" in " ".join(arrivals[0].notes + arrivals[1].notes)


@pytest.mark.parametrize("inside", ["", "deeper", "class.zip"])
def test_a_source_that_cannot_be_read_gets_one_sentence(open_to_all, inside):
    source = open_to_all / "download"
    source.mkdir()
    with closed(source), pytest.raises(LabError, match="cannot be read: Permission denied"):
        collect(LAB, source / inside, open_to_all / "course" / "submitted")


@pytest.mark.parametrize("name", ["", ".", "./."])
def test_a_file_without_a_name_is_listed(tmp_path, submitted, name):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        nameless = zipfile.ZipInfo("x")
        nameless.filename = name
        archive.writestr(nameless, b"{}")
        archive.writestr(CLASS[0], b"{}")
    arrivals = collect(LAB, path, submitted)
    assert outcomes(arrivals) == {("s0", COLLECTED), (None, REFUSED)}
    assert ("Not read: it has no name.",) in [arrival.notes for arrival in arrivals]


def test_a_long_name_of_underscores_takes_no_time():
    """A search for three parts of a name took half a minute on it."""
    from grader.intake import folders

    assert folders.parsed("_" * 990) is None and folders.parsed("a_" * 490 + "/x") is None
