"""Reads the times of nbgrader's exchange.

nbgrader writes the local time of the exchange and Python's `%Z`, which is a name (KST), a number (-03) or
nothing. A name that zones use for different offsets is not guessed. Files that were copied to Windows or
macOS may have another character in place of the colons.
"""

import re
from collections import defaultdict
from datetime import datetime, timedelta, tzinfo
from datetime import timezone as fixed
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from grader import course
from grader.intake.parse import shown
from labsupport.errors import LabError

TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})[Tt _-]*"
    r"(?P<hour>[0-9]{2})(?P<colon>[:._\-\uf03a\ua789]?)(?P<minute>[0-9]{2})"
    r"((?P=colon)(?P<second>[0-9]{2})([.,](?P<fraction>[0-9]{1,9}))?)?\s*(?P<zone>.*)"
)
OFFSET = re.compile(
    r"(UTC|GMT)?\s*(?P<sign>[+\-\u2212])(?P<hours>[0-9]{1,2})([:._]?(?P<minutes>[0-5][0-9]))?", re.IGNORECASE
)
FARTHEST = {"+": timedelta(hours=14), "-": timedelta(hours=12)}  # from UTC
NAMES_OF_UTC = ("UTC", "GMT", "Z", "UCT", "ZULU")
PLACES = re.compile("(Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)/.*")
BY_CUSTOM = {"BST": "Asia/Dhaka"}  # a name that people there use, and the database of zones does not
YEARS = (2015, 2037)  # of the meanings of names; before and after, those of the nearest year hold


class Unclear(Exception):
    """The reason, in one sentence, why a time is not known. local: its date and time of day, if readable."""

    def __init__(self, why: str, local: datetime = datetime.min):
        super().__init__(why)
        self.local = local


def read(text: str, zone: tzinfo | None = None) -> datetime:
    """The time in UTC, without tzinfo.

    zone: of the exchange, for a time without one and for a name with several meanings; None: of_exchange().
    Raises Unclear for a time that cannot be read, or can be read in two ways.
    """
    found = TIME.fullmatch(text.strip())
    try:
        if not found:
            raise ValueError
        day, microsecond = found["date"].replace("-", ""), (found["fraction"] or "").ljust(6, "0")[:6]
        local = datetime(
            int(day[:4]), int(day[4:6]), int(day[6:]),
            int(found["hour"]), int(found["minute"]), int(found["second"] or 0), int(microsecond),
        )  # fmt: skip
        return local - offset(found["zone"].strip(), local, zone)
    except (ValueError, OverflowError):
        raise Unclear(f"The time '{shown(text.strip())}' cannot be read, so lateness is not known.") from None


def without_zone(text: str) -> bool:
    """Whether a time that can be read says nothing about its zone."""
    found = TIME.fullmatch(text.strip())
    return bool(found) and not found["zone"].strip()


def written(time: datetime) -> str:
    """A time of UTC as text that nbgrader reads."""
    return f"{time:%Y-%m-%d %H:%M:%S.%f} UTC"


def zone_named(name: str) -> tzinfo:
    """The zone of a name as Asia/Kolkata, or of an offset as +05:30. Raises LabError for another text."""
    if name in available_timezones():
        return ZoneInfo(name)
    try:
        return fixed(_number(name))
    except ValueError:
        raise LabError(f"'{shown(name)}' is no time zone: give a name such as Asia/Kolkata.") from None


def of_exchange() -> tzinfo:
    """The zone of nbgrader's exchange, from the course's settings; if unset, UTC as in nbgrader."""
    config = course.config()
    named = (
        config[section].get("timezone") for section in ("ExchangeSubmit", "Exchange") if section in config
    )
    return zone_named(next((name for name in named if isinstance(name, str)), "UTC"))


def offset(name: str, local: datetime, zone: tzinfo | None) -> timedelta:
    """The difference to UTC that a zone's name or number says, in the year of a local time.

    Raises ValueError for what is neither, Unclear for a name with several meanings.
    """
    if not name:
        return difference(local, zone or of_exchange())
    if name.upper() in NAMES_OF_UTC:
        return timedelta(0)
    if OFFSET.fullmatch(name):
        return _number(name)
    year = min(max(local.year, YEARS[0]), YEARS[1])
    found = everywhere(year).get(name.upper(), {})
    if len(found) > 1:
        found = _meanings([zone or of_exchange()], year).get(name.upper(), found)
    if len(found) == 1:
        return next(iter(found))
    if found:
        zones = sorted(map(str, found.values()))
        raise Unclear(
            f"The time '{local:%Y-%m-%d %H:%M:%S} {name}' is not clear, because {name} is a name in "
            f"{', '.join(zones)}: collect again with the exchange's zone, for example --zone {zones[0]}.",
            local,
        )
    if name in available_timezones():
        return difference(local, ZoneInfo(name))
    raise ValueError(name)


def difference(local: datetime, zone: tzinfo) -> timedelta:
    """The difference of a zone to UTC at a local time."""
    found = local.replace(tzinfo=zone).utcoffset()
    assert found is not None
    return found


def _number(text: str) -> timedelta:
    """+08, -03, +0530, -03:30 or UTC+2 as a difference. Raises ValueError for another text."""
    found = OFFSET.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    sign = "+" if found["sign"] == "+" else "-"
    size = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"] or 0))
    if size > FARTHEST[sign]:
        raise ValueError(text)
    return size if sign == "+" else -size


@cache
def everywhere(year: int) -> dict[str, dict[timedelta, tzinfo]]:
    """The differences that each name of a zone stands for, each with a zone that uses it."""
    places = [ZoneInfo(key) for key in sorted(available_timezones()) if PLACES.fullmatch(key)]
    found = _meanings(places, year)
    for name, key in BY_CUSTOM.items():
        zone = ZoneInfo(key)
        found.setdefault(name, {})[difference(datetime(year, 1, 1), zone)] = zone
    return found


def _meanings(zones, year: int) -> dict[str, dict[timedelta, tzinfo]]:
    """What the names of zones mean in January and July of a year."""
    found = defaultdict(dict)
    for zone in zones:
        for month in (1, 7):
            at = datetime(year, month, 1, tzinfo=zone)
            found[(at.tzname() or "").upper()][at.utcoffset()] = zone
    return dict(found)
