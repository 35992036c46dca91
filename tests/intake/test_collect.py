"""What a platform or the exchange hands over lands whole, under the right student, or is listed."""

import os
import random
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from nbgrader.coursedir import CourseDirectory

from grader.__main__ import main
from grader.intake import archive, crowds, roster, stored
from grader.intake import collect as collecting
from grader.intake.collect import COLLECTED, NOTHING, OLDER, REFUSED, UNCHANGED, UNMATCHED, collect
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"
ROSTER = """student_id,name,canvas_id,email
js1,Jane Smith,12345,jane@uni.edu
jo2,"Smith, John",222,john@uni.edu
mg3,María García López,333,maria@uni.edu
tw4,Kim Lee,444,kim1@uni.edu
tw5,Kim Lee,555,kim2@uni.edu
"""


@pytest.fixture
def submitted(tmp_path):
    return tmp_path / "course" / "submitted"


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return path


def zipped(tmp_path, files, name="download.zip"):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(member, data)
    return path


def noise(size):
    """Bytes that no archiver makes smaller, the same in every run."""
    return random.Random(size).randbytes(size)


def unfolded(tmp_path, files):
    root = tmp_path / "download"
    root.mkdir()
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def landed(submitted):
    """Every file below the submitted folder, hidden ones too."""
    return {
        str(path.relative_to(submitted)): path.read_bytes() for path in submitted.rglob("*") if path.is_file()
    }


def one(arrivals, outcome):
    found = [arrival for arrival in arrivals if arrival.outcome == outcome]
    assert len(found) == 1, arrivals
    return found[0]


# Whose it is


@pytest.mark.parametrize(
    ("name", "student"),
    [
        (f"smith_12345_{LAB} (1).ipynb", "js1"),
        (f"smithjane_12345_67890_{NOTEBOOK}", "js1"),
        (f"smithjane_LATE_12345_67890_{NOTEBOOK}", "js1"),
        (f"smithjohn_LATE_222_67890_{LAB}-1.ipynb", "jo2"),
        (f"garcialopezmaria_333_67890_{NOTEBOOK}", "mg3"),
        (f"leekim_555_67890_{NOTEBOOK}", "tw5"),
        (f"smith_mg3_{NOTEBOOK}", "mg3"),
        (f"Jane Smith_98765_assignsubmission_file_/{NOTEBOOK}", "js1"),
        (f"Jane Smith_98765_assignsubmission_file_{NOTEBOOK}", "js1"),
        (f"María García López_1_assignsubmission_file_/{LAB} (2).ipynb", "mg3"),
        (f"jane_{NOTEBOOK}", "js1"),
    ],
)
def test_platform_names_find_their_student(tmp_path, submitted, people, name, student):
    """Zipped or unpacked: the second time nothing has changed."""
    for pack, outcome in ((zipped, COLLECTED), (unfolded, UNCHANGED)):
        arrivals = collect(LAB, pack(tmp_path, {name: b"work"}), submitted, people)
        assert [(arrival.student, arrival.outcome) for arrival in arrivals] == [(student, outcome)]
        mark = {f"{student}/{LAB}/.late": b""} if "_LATE_" in name else {}
        assert landed(submitted) == {f"{student}/{LAB}/{NOTEBOOK}": b"work"} | mark


def test_a_mark_of_lateness_goes_with_the_submission_that_had_it(tmp_path, submitted, people):
    """The same work, marked late: it is taken again. One in time in its place: nobody is late any more."""
    steps = (("", COLLECTED), ("LATE_", COLLECTED), ("LATE_", UNCHANGED), ("", COLLECTED))
    for name, outcome in steps:
        download = zipped(tmp_path, {f"smithjane_{name}12345_67890_{NOTEBOOK}": b"work"})
        assert one(collect(LAB, download, submitted, people), outcome).student == "js1"
        assert (submitted / "js1" / LAB / ".late").exists() == bool(name)


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        (f"doejohn_999_1_{NOTEBOOK}", "'doejohn' with number 999 is not in the roster"),
        (f"smith_{NOTEBOOK}", "'smith' is not in the roster"),  # Jane or John
        (f"leekim_98_67890_{NOTEBOOK}", "fits several students of the roster: tw4, tw5"),
        (f"smithjohn_12345_67890_{NOTEBOOK}", "fits several students of the roster: jo2, js1"),
        (f"Someone Else_12345_assignsubmission_file_/{NOTEBOOK}", "it may be a group's folder"),
        ("notes.txt", "neither student nor platform"),
        (NOTEBOOK, "neither student nor platform"),
    ],
)
def test_nobody_is_guessed_and_nothing_is_dropped(tmp_path, submitted, people, name, phrase):
    """Work under another's name is worse than work that waits for the instructor."""
    arrivals = collect(LAB, zipped(tmp_path, {name: b"work"}), submitted, people)
    assert phrase in one(arrivals, UNMATCHED).notes[0]
    assert landed(submitted) == {}


def test_moodles_number_is_no_student_id(tmp_path, submitted):
    """It counts participants: 77 may be somebody else's student id."""
    people = tmp_path / "r.csv"
    people.write_text("student_id,name\n77,Ann Other\n78,Jane Smith\n")
    arrivals = collect(
        LAB, zipped(tmp_path, {f"Jane Smith_77_assignsubmission_file_/{NOTEBOOK}": b"x"}), submitted, people
    )
    assert one(arrivals, COLLECTED).student == "78"


def test_a_download_without_a_roster_is_listed(tmp_path, submitted):
    arrivals = collect(LAB, zipped(tmp_path, {f"smith_12345_{NOTEBOOK}": b"x"}), submitted, None)
    assert "needs a roster" in one(arrivals, UNMATCHED).notes[0]


def test_one_folder_around_everything_is_looked_into(tmp_path, submitted, people):
    files = {f"download/smithjane_12345_1_{NOTEBOOK}": b"x", f"download/smithjohn_222_2_{NOTEBOOK}": b"y"}
    collect(LAB, zipped(tmp_path, files), submitted, people)
    assert set(landed(submitted)) == {f"js1/{LAB}/{NOTEBOOK}", f"jo2/{LAB}/{NOTEBOOK}"}


@pytest.mark.parametrize(
    "inside",
    [
        f"Jane Smith_1_assignsubmission_file_/jo2/{LAB}/{NOTEBOOK}",
        f"Jane Smith_1_assignsubmission_file_/smithjohn_222_1_{NOTEBOOK}",
        f"js1+{LAB}+2026-03-01 10:00:00 UTC/jo2/{LAB}/{NOTEBOOK}",
        f"js1/{LAB}/jo2/{LAB}/{NOTEBOOK}",
        f"js1/01_perplexity/jo2/{LAB}/{NOTEBOOK}",
        f"js1/x/jo2/{LAB}/{NOTEBOOK}",
        f"Lab_js1_attempt_2026-03-01-10-00-00_x_jo2_attempt_2026-03-09-10-00-00_{NOTEBOOK}",
    ],
)
def test_a_students_own_folders_cannot_name_another_student(tmp_path, submitted, people, inside):
    """Only the front of a path is the platform's; what is below, the student chose."""
    files = {inside: b"forged", f"jo2/{LAB}/{NOTEBOOK}": b"john's"}
    collect(LAB, zipped(tmp_path, files), submitted, people)
    assert landed(submitted)[f"jo2/{LAB}/{NOTEBOOK}"] == b"john's"


# The exchange


def test_the_exchange_gives_students_and_times(tmp_path, submitted):
    """nbgrader itself must find the time in what was collected: late penalties come from it."""
    root = unfolded(tmp_path, {
        f"ann/{LAB}/{NOTEBOOK}": b"a", f"ann/{LAB}/timestamp.txt": b"2026-03-01 10:00:00.500000 UTC",
        "ann/01_perplexity/01_perplexity.ipynb": b"other", f"ben/{LAB}/{LAB} (1).ipynb": b"b",
        f"ben/{LAB}/torch.py": b"evil", f"cem/{LAB}/essay.pdf": b"",
    })  # fmt: skip
    arrivals = collect(LAB, root, submitted, None)
    assert [(a.student, a.outcome) for a in arrivals] == [
        ("ann", COLLECTED),
        ("ben", COLLECTED),
        ("cem", NOTHING),
    ]
    assert set(landed(submitted)) == {
        f"ann/{LAB}/{NOTEBOOK}", f"ann/{LAB}/timestamp.txt", f"ben/{LAB}/{NOTEBOOK}"}  # fmt: skip
    time = CourseDirectory().get_existing_timestamp(str(submitted / "ann" / LAB))
    assert str(time) == "2026-03-01 10:00:00.500000"
    assert "torch.py" in " ".join(arrivals[1].notes)
    assert "(1).ipynb" in " ".join(arrivals[1].notes)
    assert "essay.pdf" in arrivals[2].notes[0]


def test_of_the_exchanges_inbound_the_latest_is_taken(tmp_path, submitted):
    root = unfolded(tmp_path, {
        f"ann+{LAB}+2026-03-01 10:00:00.000000 UTC+a1b2/{NOTEBOOK}": b"early",
        f"ann+{LAB}+2026-03-02 09:00:00.000000 UTC+zz/{NOTEBOOK}": b"late",
        f"ann+{LAB}+2026-03-01 23:00:00.000000 UTC/{NOTEBOOK}": b"between",
        "ann+01_perplexity+2026-03-05 10:00:00.000000 UTC/01_perplexity.ipynb": b"other",
        f"a+b+{LAB}+2026-03-02 09:00:00.000000 UTC/{NOTEBOOK}": b"odd",
    })  # fmt: skip
    arrivals = collect(LAB, root, submitted, None)
    taken = one(arrivals, COLLECTED)
    assert taken.student == "ann"
    assert "latest of 3" in " ".join(taken.notes)
    assert [a.outcome for a in arrivals].count(OLDER) == 2
    assert landed(submitted) == {
        f"ann/{LAB}/{NOTEBOOK}": b"late",
        f"ann/{LAB}/timestamp.txt": b"2026-03-02 09:00:00.000000 UTC",
    }


@pytest.mark.parametrize(
    "text", [b"", b"soon", b"\xff\xfe", b"9999-99-99 00:00:00 UTC", b"2026-03-01 10:00:00 +9999999999"]
)
def test_an_odd_timestamp_is_no_time(tmp_path, submitted, text):
    """nbgrader ends the whole class on a time it cannot read."""
    collect(
        LAB, unfolded(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"a", f"ann/{LAB}/timestamp.txt": text}), submitted
    )
    assert set(landed(submitted)) == {f"ann/{LAB}/{NOTEBOOK}"}


def test_a_time_of_another_zone_is_written_in_utc(tmp_path, submitted):
    files = {f"ann/{LAB}/{NOTEBOOK}": b"a", f"ann/{LAB}/timestamp.txt": b"2026-03-01 10:00:00 +0100"}
    collect(LAB, unfolded(tmp_path, files), submitted)
    assert landed(submitted)[f"ann/{LAB}/timestamp.txt"] == b"2026-03-01 09:00:00.000000 UTC"


@pytest.mark.parametrize(
    "student", ["a b", "..", ".hidden", "a;rm -rf", "größer", "a\nb", "x" * 101, "$(id)"]
)
def test_student_ids_are_plain(tmp_path, submitted, student):
    """They become folder names, command arguments and cells of a CSV."""
    arrivals = collect(LAB, zipped(tmp_path, {f"{student}/{LAB}/{NOTEBOOK}": b"x"}), submitted, None)
    assert landed(submitted) == {}
    for arrival in arrivals:
        assert arrival.outcome in (UNMATCHED, REFUSED)
        assert arrival.notes[0].isprintable()


def test_a_bad_id_in_the_roster_is_refused_too(tmp_path, submitted):
    people = tmp_path / "r.csv"
    people.write_text("student_id,name\n../../etc,Jane Smith\n")
    arrivals = collect(LAB, zipped(tmp_path, {f"smithjane_1_{NOTEBOOK}": b"x"}), submitted, people)
    assert "cannot be a student id" in one(arrivals, UNMATCHED).notes[0]
    assert landed(submitted) == {}


# Several submissions


def test_of_canvas_attempts_the_latest_is_taken(tmp_path, submitted, people):
    files = {f"smithjane_12345_{n}_{NOTEBOOK}": str(n).encode() for n in (900, 1001, 95)}
    arrivals = collect(LAB, zipped(tmp_path, files), submitted, people)
    assert landed(submitted) == {f"js1/{LAB}/{NOTEBOOK}": b"1001"}
    assert "latest of 3" in " ".join(one(arrivals, COLLECTED).notes)


def test_a_later_file_without_the_notebook_does_not_hide_it(tmp_path, submitted, people):
    files = {f"smithjane_12345_1_{NOTEBOOK}": b"x", "smithjane_12345_2_essay.pdf": b""}
    arrivals = collect(LAB, zipped(tmp_path, files), submitted, people)
    assert one(arrivals, COLLECTED).student == "js1"
    assert "essay.pdf" in one(arrivals, NOTHING).notes[0]


def test_canvas_late_mark_is_flagged_without_a_time(tmp_path, submitted, people):
    arrivals = collect(LAB, zipped(tmp_path, {f"smithjane_LATE_12345_1_{NOTEBOOK}": b"x"}), submitted, people)
    assert "marks it late" in " ".join(one(arrivals, COLLECTED).notes)
    assert f"js1/{LAB}/timestamp.txt" not in landed(submitted)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([f"Jane Smith_1_assignsubmission_file_/{NOTEBOOK}",
          "Jane Smith_1_assignsubmission_onlinetext_/onlinetext.html"], ""),
        ([f"smithjane_12345_67_{NOTEBOOK}", "smithjane_12345_text.html"], ""),
        ([f"smithjane_12345_67_{NOTEBOOK}", "smithjane_12345_68_essay.pdf"], ""),
        ([f"smithjane_12345_67_{NOTEBOOK}", f"smithjane_12345_68_{NOTEBOOK}", "smithjane_12345_text.html"],
         "latest of 2"),
        ([f"L_js1_attempt_2026-03-01-10-00-00_{NOTEBOOK}", "L_js1_attempt_2026-03-02-10-00-00_x.pdf"],
         "latest of 2"),
    ],
)  # fmt: skip
def test_parts_of_one_submission_are_one(tmp_path, submitted, people, names, said):
    arrivals = collect(LAB, zipped(tmp_path, {name: name.encode() for name in names}), submitted, people)
    notes = " ".join(one(arrivals, COLLECTED).notes)
    assert said in notes and ("latest of" in notes) == bool(said)


def test_no_line_ends_in_a_blank(tmp_path, people, monkeypatch, capsys):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))
    source = zipped(tmp_path, {f"smithjane_12345_67_{NOTEBOOK}": b"x", f"nobody_1_2_{NOTEBOOK}": b"y"})
    assert main(["collect", "02", str(source), "--roster", str(people)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "           'nobody' with number 1 is not in the roster." in lines
    assert lines == [line.rstrip() for line in lines]


def sent(tmp_path, data, time, name):
    return zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": data, f"ann/{LAB}/timestamp.txt": time}, name)


def test_collecting_again_takes_only_what_is_later(tmp_path, submitted):
    first = sent(tmp_path, b"first", "2026-03-01 10:00:00 UTC", "1.zip")
    second = sent(tmp_path, b"second", "2026-03-02 10:00:00 UTC", "2.zip")
    assert one(collect(LAB, first, submitted), COLLECTED).notes == ()
    assert one(collect(LAB, first, submitted), UNCHANGED)
    assert "takes the place" in one(collect(LAB, second, submitted), COLLECTED).notes[-1]
    assert "is later" in one(collect(LAB, first, submitted), OLDER).notes[-1]
    assert landed(submitted)[f"ann/{LAB}/{NOTEBOOK}"] == b"second"


def test_what_else_was_collected_stays(tmp_path, submitted):
    other = submitted / "ann" / "01_perplexity" / "01_perplexity.ipynb"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"lab 1")
    collect(LAB, zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"lab 2"}), submitted)
    assert other.read_bytes() == b"lab 1"


# Traps


def test_a_zip_of_old_windows_tools_has_backslashes_between_the_parts(tmp_path):
    """All of its names, and it says that it is of Windows; what leads out of it stays refused."""
    source = tmp_path / "class.zip"
    names = [f"{front}\\{LAB}\\{NOTEBOOK}" for front in ("ann", "ben", "..\\eve", "\\eve")]
    with zipfile.ZipFile(source, "w") as archive:
        for name in names:
            member = zipfile.ZipInfo(name)
            member.create_system = 0
            archive.writestr(member, name)
    arrivals = collect(LAB, source, tmp_path / "s")
    assert [arrival.outcome for arrival in arrivals] == ["refused", "refused", "collected", "collected"]
    assert sorted(path.name for path in (tmp_path / "s").iterdir() if path.name[0] != ".") == ["ann", "ben"]


@pytest.mark.parametrize(
    "name",
    ["/etc/x", f"/ann/{LAB}/{NOTEBOOK}", f"../ann/{LAB}/{NOTEBOOK}", f"ann/{LAB}/../../../{NOTEBOOK}",
     f"C:/ann/{NOTEBOOK}", f"ann\\{LAB}\\{NOTEBOOK}", f"ann/{LAB}/{'x' * 2000}.ipynb"],
)  # fmt: skip
def test_paths_that_lead_out_are_refused_and_the_class_goes_on(tmp_path, submitted, name):
    path = zipped(tmp_path, {name: b"evil", f"ben/{LAB}/{NOTEBOOK}": b"good"})
    arrivals = collect(LAB, path, submitted)
    assert "path" in one(arrivals, REFUSED).notes[0]
    assert landed(submitted) == {f"ben/{LAB}/{NOTEBOOK}": b"good"}
    assert not (tmp_path / "ann").exists()


def test_a_null_byte_in_a_path_is_refused(tmp_path, submitted):
    path = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}@x": b"evil"})
    path.write_bytes(path.read_bytes().replace(b".ipynb@x", b".ipynb\0x"))
    assert "null byte" in one(collect(LAB, path, submitted), REFUSED).notes[0]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_in_a_zip_are_refused(tmp_path, submitted, kind):
    link = zipfile.ZipInfo(f"ann/{LAB}/{NOTEBOOK}")
    link.external_attr = (kind | 0o777) << 16
    arrivals = collect(LAB, zipped(tmp_path, [(link, "/etc/passwd")]), submitted)
    refused = one(arrivals, REFUSED)
    assert refused.student == "ann"
    assert "link" in refused.notes[0]
    assert landed(submitted) == {}


def test_links_in_a_folder_are_refused(tmp_path, submitted):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / NOTEBOOK).write_text("the gradebook")
    (secret / LAB).mkdir()
    (secret / LAB / NOTEBOOK).write_text("the gradebook")
    root = unfolded(tmp_path, {f"ben/{LAB}/{NOTEBOOK}": b"good", f"ann/{LAB}/x": b""})
    (root / "ann" / LAB / NOTEBOOK).symlink_to(secret / NOTEBOOK)
    (root / "cem").symlink_to(secret)
    (root / "dan").mkdir()
    (root / "dan" / LAB).symlink_to(secret)
    arrivals = collect(LAB, root, submitted)
    refused = [arrival for arrival in arrivals if arrival.outcome == REFUSED]
    assert [arrival.origin for arrival in refused] == ["cem", f"dan/{LAB}", "ann"]
    assert all("link" in arrival.notes[0] for arrival in refused)
    assert landed(submitted) == {f"ben/{LAB}/{NOTEBOOK}": b"good"}


@pytest.mark.timeout(10)
def test_a_pipe_in_a_folder_is_refused_at_once(tmp_path, submitted):
    root = unfolded(tmp_path, {f"ann/{LAB}/x": b""})
    os.mkfifo(root / "ann" / LAB / NOTEBOOK)
    assert "plain file" in one(collect(LAB, root, submitted), REFUSED).notes[0]


@pytest.mark.parametrize("name", [f"smithjane_12345_1_{LAB}.zip", "smithjane_12345_1_work.tar.gz"])
def test_an_archive_in_the_download_is_refused(tmp_path, submitted, people, name):
    arrivals = collect(LAB, zipped(tmp_path, {name: b"PK"}), submitted, people)
    assert "archive" in one(arrivals, REFUSED).notes[0]
    assert landed(submitted) == {}


@pytest.mark.parametrize(
    "other", [f"ANN/{LAB}/{NOTEBOOK}", f"ann/{LAB}/{NOTEBOOK}", f"ann/{LAB}/{NOTEBOOK.upper()}"]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_both_refused(tmp_path, submitted, other):
    """Which one counts would depend on the disk."""
    path = zipped(tmp_path, [(f"ann/{LAB}/{NOTEBOOK}", b"one"), (other, b"two")])
    arrivals = collect(LAB, path, submitted)
    assert {arrival.outcome for arrival in arrivals} == {REFUSED}
    assert landed(submitted) == {}


def test_a_bomb_costs_only_its_sender(tmp_path, submitted):
    path = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"\0" * 2**21, f"ben/{LAB}/{NOTEBOOK}": b"good"})
    refused = one(collect(LAB, path, submitted), REFUSED)
    assert refused.student == "ann"
    assert "zip bomb" in refused.notes[0]
    assert landed(submitted) == {f"ben/{LAB}/{NOTEBOOK}": b"good"}


def test_a_file_larger_than_a_notebook_may_be_is_refused(tmp_path, submitted, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 1000)
    path = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": noise(1001), f"ben/{LAB}/{NOTEBOOK}": noise(1000)})
    assert one(collect(LAB, path, submitted), REFUSED).student == "ann"
    assert one(collect(LAB, path, submitted), UNCHANGED).student == "ben"


def test_a_file_that_declares_less_than_it_holds_is_refused(tmp_path, submitted):
    """The declared size is the sender's word; zlib would go on unpacking."""
    path = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"x" * 5000})
    raw = path.read_bytes()
    assert raw.count(struct.pack("<I", 5000)) == 2
    path.write_bytes(raw.replace(struct.pack("<I", 5000), struct.pack("<I", 50)))
    assert "damaged" in one(collect(LAB, path, submitted), REFUSED).notes[0]
    assert landed(submitted) == {}


def test_a_download_that_is_packed_once_more_is_called_so(tmp_path, submitted):
    inner = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"x"}).rename(tmp_path / "class.zip")
    path = zipped(tmp_path, {"downloads.zip": inner.read_bytes()})
    people = tmp_path / "roster.csv"
    people.write_text("student_id,name\nann,Ann Lee\n")
    for given in (None, people):
        said = one(collect(LAB, path, submitted, given), UNMATCHED).notes[0]
        assert "unpack the outer one" in said


def test_a_download_that_ended_early_is_called_so(tmp_path, submitted):
    """A zip's list of files is its end: without it nothing is read."""
    whole = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"x" * 5000}).read_bytes()
    for end in (-80, 60):
        (tmp_path / "cut.zip").write_bytes(whole[:end])
        with pytest.raises(LabError, match="its end is missing: download it again"):
            collect(LAB, tmp_path / "cut.zip", submitted)


def test_a_damaged_member_costs_only_its_sender(tmp_path, submitted):
    data = noise(3000)
    path = tmp_path / "download.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"ann/{LAB}/{NOTEBOOK}", data)
        archive.writestr(f"ben/{LAB}/{NOTEBOOK}", b"good")
    path.write_bytes(path.read_bytes().replace(data[:100], b"\0" * 100))
    assert one(collect(LAB, path, submitted), REFUSED).student == "ann"
    assert landed(submitted) == {f"ben/{LAB}/{NOTEBOOK}": b"good"}


def test_overlapping_members_are_a_trap(tmp_path, submitted):
    """The bomb without nesting: many members that share the same packed bytes."""
    path = zipped(tmp_path, {f"s{n}/{LAB}/{NOTEBOOK}": noise(2000) for n in range(3)})
    with zipfile.ZipFile(path) as archive:
        size = archive.infolist()[0].compress_size
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<I", size), struct.pack("<I", size * 2)))
    with pytest.raises(LabError, match="overlap"):
        collect(LAB, path, submitted)
    assert not submitted.exists()


def test_too_much_in_all_is_refused_as_a_whole(tmp_path, submitted, monkeypatch):
    path = zipped(tmp_path, {f"s{n}/{LAB}/{NOTEBOOK}": noise(400) for n in range(3)})
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    with pytest.raises(LabError, match="unpacks to"):
        collect(LAB, path, submitted)
    monkeypatch.setattr(archive, "MOST_BYTES", 10_000)
    monkeypatch.setattr(crowds, "MOST_FILES", 2)
    with pytest.raises(LabError, match="more than 2 files"):
        collect(LAB, path, submitted)
    root = unfolded(tmp_path, {f"s{n}/{LAB}/{NOTEBOOK}": b"" for n in range(3)})
    with pytest.raises(LabError, match="more than 2 files"):
        collect(LAB, root, submitted)
    assert not submitted.exists()


def test_what_is_no_zip_gets_one_sentence(tmp_path, submitted):
    (tmp_path / "page.zip").write_text("<html>log in first</html>")
    (tmp_path / "empty.zip").touch()
    for name, said in (("page", "neither"), ("empty", "neither"), ("absent", "does not exist")):
        with pytest.raises(LabError, match=said):
            collect(LAB, tmp_path / f"{name}.zip", submitted)


@pytest.mark.parametrize("where", ["write", "put"])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, submitted, monkeypatch, where):
    """What was collected before stays as it was, and no draft is left behind."""
    collect(LAB, zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"before"}), submitted)
    real = getattr(collecting, where)

    def full(*args):
        if "ben" in str(args):
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(collecting, where, full)
    path = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"after", f"ben/{LAB}/{NOTEBOOK}": b"new"})
    with pytest.raises(LabError, match="No space left on device"):
        collect(LAB, path, submitted)
    found = landed(submitted)
    assert set(found) == {f"ann/{LAB}/{NOTEBOOK}"}
    assert found[f"ann/{LAB}/{NOTEBOOK}"] == (b"before" if where == "write" else b"after")


def test_a_failed_exchange_of_folders_brings_the_old_one_back(tmp_path):
    target, new = tmp_path / "submitted" / "ann" / LAB, tmp_path / "gone"
    target.mkdir(parents=True)
    (target / NOTEBOOK).write_bytes(b"before")
    with pytest.raises(OSError):
        collecting.put(target, new, tmp_path / "old")
    assert (target / NOTEBOOK).read_bytes() == b"before"


def test_ctrl_c_in_the_middle_of_an_exchange_loses_nothing(tmp_path, submitted, monkeypatch):
    """Between the old folder's leaving and the new one's coming."""
    collect(LAB, zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"before"}), submitted)
    true, moved = Path.rename, []

    def rename(path, target):
        moved.append(true(path, target))
        if len(moved) == 1:
            raise KeyboardInterrupt
        return target

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        collect(LAB, zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"after"}), submitted)
    assert landed(submitted) == {f"ann/{LAB}/{NOTEBOOK}": b"before"}


def test_what_a_killed_collect_had_moved_aside_comes_back(tmp_path, submitted):
    """Even where the next download has nothing of that student: another section's, for instance."""
    aside = submitted / ".collect-x" / "old" / "ann" / LAB
    aside.mkdir(parents=True)
    (aside / NOTEBOOK).write_bytes(b"before")
    collect(LAB, zipped(tmp_path, {f"ben/{LAB}/{NOTEBOOK}": b"ben"}), submitted)
    assert landed(submitted) == {f"ann/{LAB}/{NOTEBOOK}": b"before", f"ben/{LAB}/{NOTEBOOK}": b"ben"}


def test_what_newer_work_replaced_never_comes_back(tmp_path, submitted):
    """Killed after the exchange, and then the new work was taken away on purpose."""
    aside = submitted / ".collect-x" / "old" / "ann" / LAB
    aside.mkdir(parents=True)
    (aside / NOTEBOOK).write_bytes(b"before")
    collect(LAB, zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"after"}), submitted)
    shutil.rmtree(submitted / "ann")
    collect(LAB, zipped(tmp_path, {f"ben/{LAB}/{NOTEBOOK}": b"ben"}), submitted)
    assert landed(submitted) == {f"ben/{LAB}/{NOTEBOOK}": b"ben"}


def test_one_collect_at_a_time(tmp_path, submitted, monkeypatch, capsys):
    """A second one would take for a dead one's what the first has moved aside."""
    submitted.mkdir(parents=True)
    download = zipped(tmp_path, {f"ann/{LAB}/{NOTEBOOK}": b"ann"})
    monkeypatch.setattr(stored, "PATIENCE", 0.1)
    with stored.alone(submitted), pytest.raises(LabError, match="Another `collect` writes"):
        collect(LAB, download, submitted)
    assert not landed(submitted)
    assert "this one waits for its end" in capsys.readouterr().err
    assert one(collect(LAB, download, submitted), COLLECTED).student == "ann"


def test_a_killed_collect_leaves_no_copies(tmp_path, submitted):
    draft = submitted / ".collect-x" / "new" / "ann"
    draft.mkdir(parents=True)
    (draft / NOTEBOOK).write_bytes(b"half")
    collect(LAB, zipped(tmp_path, {f"ben/{LAB}/{NOTEBOOK}": b"ben"}), submitted)
    assert landed(submitted) == {f"ben/{LAB}/{NOTEBOOK}": b"ben"}


# The roster


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffStudent ID;Name\r\nx1;Jane Smith\r\n",
        "student_id\tfirst_name\tlast_name\nx1\tJane\tSmith\n\n",
        'name,section,student_id\n"Smith, Jane",7,x1\n',
    ],
)
def test_rosters_as_spreadsheets_save_them(tmp_path, text):
    path = tmp_path / "r.csv"
    path.write_bytes(text.encode())
    people = roster.read(path)
    assert people.find("smithjane") == ("x1", "")
    assert people.find("Jane Smith", "999") == ("x1", "")
    assert people.find("", "7")[0] is None  # a section is nobody's number


@pytest.mark.parametrize(
    ("data", "phrase"),
    [
        (b"", "needs a column 'student_id'"),
        (b"name,id\nJane,1\n", "needs a column 'student_id'"),
        (b"student_id,name\na,J\na,K\n", "'a' a second time in line 3"),
        (b"student_id,name\n,J\n", "no student_id in line 2"),
        (b"Class list 2026\nstudent_id,name\na,J\n", "the titles must be the first line"),
        (b"Class list,\nstudent_id,name\na,J\n", "in its first line"),
        (b"student_id,name,email\na,J,\nb,Smith, Jane,js@x\n", "more cells in line 3 than titles"),
        (b"student_id,name,Student ID\na,J,7\n", "two columns 'student_id'"),
        ("student_id,name\na,Größer\n".encode("latin-1"), "not UTF-8"),
        (b"student_id,name\n" + b"x" * 200_000, "not a CSV file"),
    ],
)
def test_a_bad_roster_gets_one_sentence(tmp_path, data, phrase):
    path = tmp_path / "r.csv"
    path.write_bytes(data)
    with pytest.raises(LabError, match=phrase):
        roster.read(path)


def test_a_missing_roster_gets_one_sentence(tmp_path):
    with pytest.raises(LabError, match="cannot be read"):
        roster.read(tmp_path / "absent.csv")


def test_nobody_is_found_by_nothing(tmp_path):
    """A name of punctuation alone, or none, must not fit an empty cell of the roster."""
    path = tmp_path / "r.csv"
    path.write_text("student_id,name,login\nx1,,\n")
    assert roster.read(path).find("...", "")[0] is None
