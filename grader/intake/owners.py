"""Who wrote the folders of nbgrader's exchange: everybody may write there, also under somebody else's name.

nbgrader warns of a folder that belongs to another user than its name says, and takes it. Here it is not
taken, where users are known to be students: where other folders belong to whom their names say, or where
the owner is a student too. On a hub whose containers run as one user, and in a copy, owners tell nothing.
`c.ExchangeCollect.check_owner = False` switches this off, as in nbgrader.
"""

import os
from collections.abc import Collection
from pathlib import Path

from grader import course
from grader.intake.senders import Submission

try:
    import pwd
except ImportError:  # Windows, where an owner is no user name of an exchange
    pwd = None

FORGED = (
    "The folder belongs to the user {owner}, and not to {student}, so it was not taken. If that is right, "
    "give the folder to {student} (chown), or set c.ExchangeCollect.check_owner = False in own_config.py."
)


def forged(source: Path, submissions: Collection[Submission], known: Collection[str]) -> dict[str, str]:
    """The sentence on each submission, by origin, whose folder another student wrote.

    known: the students of the course, besides those who hand in here.
    """
    owners = {each.origin: owner(source / each.origin) for each in submissions if each.stamp}
    names = {each.origin: each.name for each in submissions if each.stamp}
    tell = any(owners[origin] == name for origin, name in names.items())
    students = {*known, *names.values()}
    found = {
        origin: FORGED.format(owner=owners[origin], student=name)
        for origin, name in names.items()
        if owners[origin] not in ("", name) and (tell or owners[origin] in students)
    }
    return found if found and checked() else {}


def owner(folder: Path) -> str:
    """The user name of a folder's owner; "" for our own, root's, and an unknown one."""
    if pwd is None:
        return ""
    try:
        number = folder.lstat().st_uid
        return "" if number in (0, os.geteuid()) else pwd.getpwuid(number).pw_name
    except (OSError, KeyError):
        return ""


def checked() -> bool:
    """Whether nbgrader's settings leave the check on."""
    config = course.config()
    return "ExchangeCollect" not in config or config.ExchangeCollect.get("check_owner", True) is not False
