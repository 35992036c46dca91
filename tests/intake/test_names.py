"""Whose name has other letters than ASCII hands in as everybody does."""

import unicodedata
import zipfile

import pytest

from grader.intake import roster
from grader.intake.collect import COLLECTED, UNMATCHED, collect
from grader.intake.senders import sender

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"
NAMES = {
    "sharp s": "Anna-Lena Weiß", "capital sharp s": "Anna-Lena WEIẞ", "n with apostrophe": "ŉJan van Wyk",
    "dotted I": "İpek Yılmaz", "dotless i": "Işık Aydın", "ligature": "Sofia ﬁliponi",
    "titlecase": "ǅemal Ćosić", "Greek final sigma": "Νίκος Αλεξίου", "Korean": "김 민수",
    "Japanese": "高橋 がく",
    "Arabic": "محمد علي",
    "Hebrew": "יעל כהן", "Hindi": "राम कुमार", "apostrophe": "Sinéad O’Brien", "okina": "Kaʻimi Kealoha",
    "double-barrelled": "Marie-Luise Müller-Lüdenscheidt", "emoji": "Max 🎉 Power",
    "long": "A" + "b" * 120 + " Long", "stroke": "Łukasz Żółć", "o with stroke": "Bjørn Åse",
}  # fmt: skip


@pytest.fixture
def submitted(tmp_path):
    return tmp_path / "course" / "submitted"


def people(tmp_path, *lines):
    path = tmp_path / "roster.csv"
    path.write_text("\n".join(["student_id,name,canvas_id", *lines]), encoding="utf-8")
    return path


def zipped(tmp_path, *names):
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name.replace("@@", ""))
    return path


def canvas(name):
    """The name as Canvas puts it before its numbers: last name first, in lower case, letters alone."""
    first, last = name.split()[0], name.split()[1:]
    return "".join(letter for letter in "".join([*last, first]).lower() if letter.isalnum()
                   or unicodedata.category(letter)[0] == "M")  # fmt: skip


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_submission_finds_its_student_whatever_the_letters(tmp_path, submitted, name, form):
    """By the name alone: the number is nobody's. macOS decomposes the letters of file names."""
    listed = people(tmp_path, f"x1,{name},12530", "y2,Ann Other,777")
    for file in (
        f"{canvas(name)}_99999_987659_{LAB}-2.ipynb",
        f"{canvas(name)}_LATE_99999_987659_{NOTEBOOK}",
        f"{name}_880000_assignsubmission_file_/{NOTEBOOK}",
        f"{canvas(name)}_{NOTEBOOK}",
    ):
        arrivals = collect(LAB, zipped(tmp_path, unicodedata.normalize(form, file)), submitted, listed)
        assert [(arrival.student, arrival.outcome) for arrival in arrivals] == [("x1", COLLECTED)], file


@pytest.mark.parametrize("before", ["weiß", "ŉ", "İİİ", "ﬁﬂ", "ǰ", "ß" * 40])
def test_a_name_that_grows_with_its_case_keeps_its_place(before):
    """ß is two letters in the other case: places found there are not places of the name."""
    submission, file = sender((f"{before}_12530_987659_{LAB.upper()}-2.ipynb",), LAB)
    assert (submission.name, submission.number, submission.attempt) == (before, "12530", 987659)
    assert file == f"{LAB.upper()}-2.ipynb"


def test_a_name_without_letters_is_found_by_its_number(tmp_path, submitted):
    """Canvas leaves nothing of a name of symbols."""
    listed = people(tmp_path, "x1,🎉🎉,12530", "y2,✨,777")
    arrivals = collect(LAB, zipped(tmp_path, f"_12530_987659_{NOTEBOOK}"), submitted, listed)
    assert [(arrival.student, arrival.outcome) for arrival in arrivals] == [("x1", COLLECTED)]


def test_names_within_names_are_different_people(tmp_path, submitted):
    names = ["Kim", "Kim Lee", "Kim Leeson", "Ann Kim Lee", "Anna Kim Lee"]
    listed = people(tmp_path, *(f"s{number},{name}," for number, name in enumerate(names)))
    files = [f"{name}_{number}_assignsubmission_file_/{NOTEBOOK}" for number, name in enumerate(names)]
    arrivals = collect(LAB, zipped(tmp_path, *files), submitted, listed)
    assert [(a.student, a.origin.split("_")[0]) for a in arrivals] == [
        (f"s{number}", name) for number, name in enumerate(names)
    ]


def test_vowel_signs_tell_people_apart(tmp_path, submitted):
    """Without them राम and रमा were one name, and one handed in for the other; so with が and か."""
    listed = people(tmp_path, "x1,राम कुमार,", "y2,रमा कुमार,", "x3,かな 林,", "y4,がな 林,")
    files = [f"{name}_1_assignsubmission_file_/{NOTEBOOK}" for name in ("रमा कुमार", "がな 林", "रीमा कुमार")]
    arrivals = collect(LAB, zipped(tmp_path, *files), submitted, listed)
    assert [(a.student, a.outcome) for a in arrivals] == [
        (None, UNMATCHED), ("y2", COLLECTED), ("y4", COLLECTED)]  # fmt: skip


def test_a_name_twice_needs_the_number(tmp_path, submitted):
    listed = people(tmp_path, "x1,Weiß Anna,1111", "x2,Anna Weiss,2222")
    files = [f"weißanna_2222_1_{NOTEBOOK}", f"weissanna_3333_1_{NOTEBOOK}"]
    arrivals = collect(LAB, zipped(tmp_path, *files), submitted, listed)
    assert [(a.student, a.outcome) for a in arrivals] == [(None, UNMATCHED), ("x2", COLLECTED)]
    assert "several students of the roster: x1, x2" in arrivals[0].notes[0]


def test_a_zip_of_macos_says_its_names_in_utf8(tmp_path, submitted):
    """It does not mark them so, and every other reader takes them for code page 437."""
    path = zipped(tmp_path, f"Anna-Lena Wei@@_880000_assignsubmission_file_/{NOTEBOOK}")
    path.write_bytes(path.read_bytes().replace(b"@@", "ß".encode()))
    arrivals = collect(LAB, path, submitted, people(tmp_path, "x1,Anna-Lena Weiß,1"))
    assert [(arrival.student, arrival.outcome) for arrival in arrivals] == [("x1", COLLECTED)]


def test_the_name_of_another_account_is_a_namesakes(tmp_path, submitted):
    """Of another section, whom the roster does not have: the work was given to the student of that name."""
    listed = people(tmp_path, "jm1,Jan Müller,1001", "zoe,Zoe Li,")
    names = [
        f"{name}_{NOTEBOOK}"
        for name in ("müllerjan_1001_7", "müllerjan_LATE_1002_8", "lizoe_21_9", "lizoe_22_8")
    ]
    found = collect(LAB, zipped(tmp_path, *names), submitted, listed)
    assert {each.origin: each.student for each in found} == dict(
        zip(names, ["jm1", *[None] * 3], strict=True)
    )
    late = next(each for each in found if each.origin == names[1])
    assert late.notes == ("Several accounts of Canvas have this name, and number 1002 is not in the roster.",)
    (tmp_path / "names.csv").write_text(f"origin,student_id\n{names[2]},zoe\n")
    collect(LAB, zipped(tmp_path, *names), submitted, None, None, tmp_path / "names.csv")
    assert (submitted / "zoe" / LAB / NOTEBOOK).read_text() == names[2]


def test_a_key_is_the_same_in_every_form():
    for name in NAMES.values():
        keys = {roster.key(unicodedata.normalize(form, name)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
        assert len(keys) == 1
        assert keys == {roster.key(name.lower())} == {roster.key(name.title())}
