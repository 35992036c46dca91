"""A time of the exchange is read in its own zone, or said to be unclear; no zone is guessed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from grader import course
from grader.intake import register, submitted, times
from grader.intake.collect import COLLECTED, collect
from grader.intake.register import Handed
from labsupport.errors import LabError

LAB = "02_magnitude_pruning"
NOTEBOOK = f"{LAB}.ipynb"
DAY = "2026-11-22 23:55:00"


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        ("UTC", "22 23:55"), ("GMT", "22 23:55"), ("Z", "22 23:55"), ("utc", "22 23:55"),
        ("KST", "22 14:55"), ("JST", "22 14:55"), ("CET", "22 22:55"), ("CEST", "22 21:55"),
        ("PDT", "23 06:55"), ("EST", "23 04:55"), ("AEDT", "22 12:55"), ("NZDT", "22 10:55"),
        ("MSK", "22 20:55"), ("NST", "23 03:25"), ("HKT", "22 15:55"), ("WIB", "22 16:55"),
        ("-03", "23 02:55"), ("+08", "22 15:55"), ("+0530", "22 18:25"), ("+05:30", "22 18:25"),
        ("-03:30", "23 03:25"), ("-0330", "23 03:25"), ("+1245", "22 11:10"), ("+14", "22 09:55"),
        ("UTC+2", "22 21:55"), ("GMT-05:00", "23 04:55"), ("\u221203:00", "23 02:55"), ("+00_00", "22 23:55"),
        ("America/Los_Angeles", "23 07:55"), ("Asia/Kolkata", "22 18:25"), ("Etc/GMT+3", "23 02:55"),
    ],
)  # fmt: skip
def test_every_zone_is_read(zone, utc):
    """A zone that is dropped makes a student hours late; with or without a space before it."""
    for text in (f"{DAY} {zone}", f"{DAY}.000000 {zone}"):
        assert times.read(text) == datetime.fromisoformat(f"2026-11-{utc}:00")
    if zone[0] in "+-Z\u2212":
        assert times.read(f"{DAY.replace(' ', 'T')}{zone}") == datetime.fromisoformat(f"2026-11-{utc}:00")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T22:55:00+00:00", "2026-11-22T22:55:00.000Z", "2026-11-22 22:55:00,000000000 UTC",
        "20261122T225500Z", "2026-11-22T22:55Z", "2026-11-22t22:55:00z", " 2026-11-22 22:55:00 UTC\n",
        "2026-11-22 22_55_00 UTC", "2026-11-22 22-55-00 UTC", "2026-11-22 22.55.00.000000 UTC",
        "2026-11-22 22\uf03a55\uf03a00 UTC", "2026-11-22_22-55-00_+00_00".replace("_+", " +"),
        "2026-11-23 00:55:00.000000+02:00", "2026-11-22 22:55:00", "2026-11-22T22:55:00",
    ],
)  # fmt: skip
def test_every_form_is_read(text):
    assert times.read(text) == datetime(2026, 11, 22, 22, 55)


def test_a_fraction_keeps_its_place():
    assert times.read(f"{DAY}.5 UTC").microsecond == 500_000
    assert times.read(f"{DAY}.000001999Z").microsecond == 1


@pytest.mark.parametrize("zone", ["CST", "IST", "BST", "PST", "CDT"])
def test_a_name_with_several_meanings_is_asked_for(zone):
    with pytest.raises(times.Unclear, match=rf"{zone} is a name in .+, .+ --zone [A-Z][a-z]+/") as raised:
        times.read(f"{DAY} {zone}")
    assert raised.value.local == datetime(2026, 11, 22, 23, 55)


@pytest.mark.parametrize(
    ("zone", "name", "utc"),
    [
        ("Asia/Kolkata", "IST", "22 18:25"), ("Europe/Dublin", "IST", "22 22:55"),
        ("Asia/Jerusalem", "IST", "22 21:55"), ("Asia/Shanghai", "CST", "22 15:55"),
        ("America/Chicago", "CST", "23 05:55"), ("Europe/London", "BST", "22 22:55"),
        ("Europe/Berlin", "KST", "22 14:55"), ("Asia/Seoul", "", "22 14:55"),
        ("Asia/Seoul", "UTC", "22 23:55"), ("Asia/Seoul", "-03", "23 02:55"), ("+05:30", "", "22 18:25"),
    ],
)  # fmt: skip
def test_the_exchanges_zone_says_what_a_name_means(zone, name, utc):
    zone = times.zone_named(zone)
    assert times.read(f"{DAY} {name}", zone) == datetime.fromisoformat(f"2026-11-{utc}:00")


def test_another_zone_leaves_a_name_unclear():
    with pytest.raises(times.Unclear, match="--zone"):
        times.read(f"{DAY} IST", ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-11-22", "2026-13-22 10:00:00 UTC", "2026-11-22 25:00:00 UTC", "2026-11-22 10:60:00Z",
     f"{DAY} +9999", f"{DAY} +99", f"{DAY} +0570", f"{DAY} -1300", f"{DAY} XYZ", f"{DAY} ../../etc/passwd",
     f"{DAY} UTC\nUTC", "0001-01-01 00:00:00 +14", "9999-12-31 23:59:59 -12", "1511-11-22 10:00:00 LMT",
     "\u0662\u0660\u0662\u0666-11-22 10:00:00", "1511-11-22 10:00:00 " + "A" * 10_000, f"{DAY} \0"],
)  # fmt: skip
def test_what_is_no_time_is_said_in_one_line(text):
    """It never ends a class, and no part of it is taken for a time."""
    with pytest.raises(times.Unclear) as raised:
        times.read(text)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 200


def test_a_zone_that_does_not_exist_gets_one_sentence():
    for name in ("Mars/Olympus", "", "IST", "../etc", "+99"):
        with pytest.raises(LabError, match="is no time zone"):
            times.zone_named(name)


def test_what_is_written_is_read_again():
    time = datetime(2026, 3, 29, 1, 30, 0, 500_000)
    assert times.read(times.written(time), ZoneInfo("Europe/Berlin")) == time
    assert times.without_zone(DAY) and not times.without_zone(f"{DAY} UTC") and not times.without_zone("soon")
    assert times.zone_named("UTC").utcoffset(None) == UTC.utcoffset(None)


# As it is collected


def collected(tmp_path, folders, **options):
    """Collect folders of the exchange's inbound: what came of each, and the time that is written."""
    root, submitted = tmp_path / "inbound", tmp_path / "course" / "submitted"
    for name, files in folders.items():
        (root / name).mkdir(parents=True)
        for file, data in files.items():
            (root / name / file).write_bytes(data)
    arrivals = collect(LAB, root, submitted, **options)
    return arrivals, {
        path.parent.parent.name: path.read_text() for path in submitted.glob("*/*/timestamp.txt")
    }


@pytest.fixture(autouse=True)
def course_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PRUNING_LABS_COURSE", str(tmp_path / "course"))


@pytest.mark.parametrize("random", ["", "+a1b2c3d4e5f6", "+0-_4"])
@pytest.mark.parametrize(
    ("stamp", "utc"),
    [
        (f"{DAY} KST", "22 14:55"), (f"{DAY} CEST", "22 21:55"), (f"{DAY} PDT", "23 06:55"),
        (f"{DAY}.000000 -03", "23 02:55"), (f"{DAY}.000000 +08", "22 15:55"), (f"{DAY} +0530", "22 18:25"),
        ("2026-11-22T22:55:00+00:00", "22 22:55"), ("2026-11-22T22:55:00Z", "22 22:55"),
        (f"{DAY} UTC", "22 23:55"), ("2026-11-22 23_55_00.000000 -03", "23 02:55"),
    ],
)  # fmt: skip
def test_a_folder_of_the_exchange_says_its_time(tmp_path, stamp, utc, random):
    """With nbgrader's random string and without, an offset's plus sign being the separator as well."""
    arrivals, written = collected(tmp_path, {f"gus+{LAB}+{stamp}{random}": {NOTEBOOK: b"x"}})
    assert [(a.student, a.outcome, a.unclear) for a in arrivals] == [("gus", COLLECTED, False)]
    assert written == {"gus": f"2026-11-{utc}:00.000000 UTC"}


@pytest.mark.parametrize("stamp", [f"{DAY} IST", f"{DAY} XYZ", "soon", f"{DAY} +99"])
def test_a_time_that_is_not_clear_is_said_and_not_written(tmp_path, stamp):
    """The work is taken all the same, and so is that of the others."""
    folders = {f"gus+{LAB}+{stamp}": {NOTEBOOK: b"x"}, f"hal+{LAB}+{DAY} UTC": {NOTEBOOK: b"y"}}
    arrivals, written = collected(tmp_path, folders)
    assert [(a.student, a.outcome, a.unclear) for a in arrivals] == [
        ("gus", COLLECTED, True), ("hal", COLLECTED, False)]  # fmt: skip
    assert "--zone" in arrivals[0].notes[-1] or "cannot be read" in arrivals[0].notes[-1]
    assert list(written) == ["hal"]
    submitted = tmp_path / "course" / "submitted"
    assert register.read(submitted, LAB).students == {"gus": Handed(time=stamp)}


def test_with_the_zone_all_is_clear(tmp_path):
    folders = {f"gus+{LAB}+{DAY} IST": {NOTEBOOK: b"x"}, f"hal+{LAB}+{DAY}": {NOTEBOOK: b"y"}}
    collected(tmp_path, folders)
    submitted = tmp_path / "course" / "submitted"
    collect(LAB, tmp_path / "inbound", submitted, zone=times.zone_named("Asia/Kolkata"))
    for student in ("gus", "hal"):
        assert (submitted / student / LAB / "timestamp.txt").read_text() == "2026-11-22 18:25:00.000000 UTC"
    assert register.read(submitted, LAB).students == {}


def test_of_unclear_times_the_latest_is_taken(tmp_path):
    folders = {
        f"gus+{LAB}+2026-11-{day} 10:00:00 IST+{random}": {NOTEBOOK: day.encode()}
        for day, random in (("21", "zz"), ("23", "aa"), ("22", "mm"))
    }
    collected(tmp_path, folders)
    assert (tmp_path / "course" / "submitted" / "gus" / LAB / NOTEBOOK).read_bytes() == b"23"


def test_a_time_without_a_zone_is_not_read_in_silence(tmp_path):
    arrivals, written = collected(tmp_path, {f"gus+{LAB}+{DAY}": {NOTEBOOK: b"x"}})
    assert written == {"gus": "2026-11-22 23:55:00.000000 UTC"}
    assert "names no zone: it was read as UTC" in arrivals[0].notes[-1]


@pytest.mark.parametrize("section", ["Exchange", "ExchangeSubmit"])
def test_nbgraders_own_setting_is_the_zone(tmp_path, section):
    own = course.prepare() / course.OWN
    own.write_text(f"{course.OWN_TEXT}c.{section}.timezone = 'Asia/Kolkata'\n")
    folders = {f"gus+{LAB}+{DAY} IST": {NOTEBOOK: b"x"}, f"hal+{LAB}+{DAY}": {NOTEBOOK: b"y"}}
    _, written = collected(tmp_path, folders)
    assert set(written.values()) == {"2026-11-22 18:25:00.000000 UTC"} and len(written) == 2


def test_a_folders_name_that_was_changed_leaves_the_file(tmp_path):
    """timestamp.txt has the time too, with a mark in front from an editor of Windows."""
    stamp = "\ufeff2026-11-22 23:55:00.000000 KST\r\n".encode()
    _, written = collected(tmp_path, {f"gus+{LAB}+copy": {NOTEBOOK: b"x", "timestamp.txt": stamp}})
    assert written == {"gus": "2026-11-22 14:55:00.000000 UTC"}


@pytest.mark.parametrize(("stamp", "time", "flags"), [
    ("2026-11-22 23:55:00.000000 KST", "2026-11-22 14:55:00.000000 UTC", 0),
    ("2026-11-22 20:55:00 -03", "2026-11-22 23:55:00.000000 UTC", 0),
    ("2026-11-22 20:55:00 IST", "", 1), ("soon", "", 1), ("", "", 1),
])  # fmt: skip
def test_a_time_that_nbgrader_collected_is_read_too(tmp_path, stamp, time, flags):
    """nbgrader's own `collect` puts the exchange's time into submitted/, and reads it otherwise."""
    place = tmp_path / "course" / "submitted" / "gus" / LAB
    place.mkdir(parents=True)
    (place / NOTEBOOK).write_bytes(b"x")
    (place / "timestamp.txt").write_text(stamp)
    (found,) = submitted.submissions(LAB)
    assert (found.submitted_at, len(found.flags), found.collected) == (time, flags, found.flags)
