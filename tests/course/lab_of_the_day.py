"""`python -m tests.course.lab_of_the_day [YYYY-MM-DD]`: the labs that .ci/run executes on the model today.

All of them take the better part of an hour, so each day has its share, and five days have them all. It prints
an expression for pytest's -k. The date is that of UTC, today's without an argument.
"""

import sys
from datetime import UTC, date, datetime

from grader import course

# About ten minutes on two CPU cores each, by what the labs say of their cells.
SHARES = (("08",), ("09", "10"), ("11", "12"), ("05", "06"), ("00", "01", "02", "04", "07"))


def share(day: date) -> list[str]:
    """The labs of a day."""
    return [course.lab(number) for number in SHARES[day.toordinal() % len(SHARES)]]


def main(arguments: list[str]) -> None:
    """Print them, as pytest wants to have them."""
    day = date.fromisoformat(arguments[0]) if arguments else datetime.now(UTC).date()
    print(" or ".join(share(day)))


if __name__ == "__main__":
    main(sys.argv[1:])
