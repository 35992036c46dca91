"""Collects submissions into the course folder, from nbgrader's exchange or a platform's download.

Every file is listed with its outcome. Students are identified by the folder of the exchange or by the
roster, never guessed. submitted/STUDENT/LAB/ receives what was sent (stored.py).
"""

import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import tzinfo
from operator import itemgetter
from pathlib import Path

from grader.intake import archive, folders, gradescope, owners, register, roster, stored, times, unmatched
from grader.intake.files import HARMLESS, is_copy, listed, pick
from grader.intake.identity import identified
from grader.intake.parse import Unreadable, shown
from grader.intake.register import Handed
from grader.intake.senders import UNKNOWN, Submission, for_other_lab, of_other_lab, sender
from grader.intake.stored import COLLECTED, OLDER, STUDENT, UNCHANGED, compared, put, write
from grader.intake.wrapped import unwrapped
from labsupport.errors import LabError
from labsupport.progress import bar

REFUSED, UNMATCHED, NOTHING, LEFT_OUT = "refused", "unmatched", "nothing", "left out"

ACCOUNTS = "Several accounts of Canvas have this name, and number {} is not in the roster."
BACK = "It was taken back from {0}: run `grade`, and look at the points that {0} has by hand."
TEST_STUDENT = "It is from Canvas's test student, who is not graded."
NO_NOTEBOOK = "There is no {lab}.ipynb among what was sent: {sent}. Hand in the notebook {lab}.ipynb itself."


@dataclass(frozen=True)
class Arrival:
    """The outcome of one submission: `student` if known, and sentences for the instructor."""

    origin: str
    student: str | None
    outcome: str  # collected, unchanged, older, refused, unmatched, nothing or left out
    notes: tuple[str, ...] = ()
    unclear: bool = False  # whether it says a time that could not be read


def collect(
    lab: str,
    source: Path,
    course_submitted: Path,
    roster_file: Path | None = None,
    zone: tzinfo | None = None,
    names: Path | None = None,
) -> list[Arrival]:
    """Put the latest notebook of every student into `course_submitted`; the outcome of each submission.

    zone: the exchange's, for times that name none; None: that of own_config.py, or UTC. names: a CSV that
    says whose the unmatched ones are; those that are left are added to it. It and the roster count over what
    the course keeps; folders of an exchange need a roster only where one is given. The register keeps what
    was handed in and could not be taken. Raises LabError, and changes nothing, when the source, the archive
    or the roster cannot be read or the course folder cannot be written.
    """
    kept, people = course_submitted.parent / "roster.csv", roster.read(roster_file) if roster_file else None
    if people:
        roster.agree(people, kept)
    people = roster.over(people, kept)
    said, assigned = unmatched.read(names) if names else {}, register.read(course_submitted, lab).assigned
    with archive.opened(source) as entries:
        if source.name.endswith(
            "-submissions"
        ):  # of GitHub Classroom: the name is part of its folders' names
            entries = [replace(entry, parts=(source.name, *entry.parts)) for entry in entries]
        submissions, arrivals = sorted_out(entries, lab, zone, people)
        students, handed, whose, before_that = defaultdict(list), {}, {}, {}
        by_name = defaultdict(list)  # what no person has said whose it is
        known = [path.name for path in course_submitted.glob("*")]
        forged = owners.forged(source, submissions, {*known, *(people.lines if people else ())})
        for submission in submissions:
            if why := forged.get(submission.origin):
                arrivals.append(Arrival(shown(submission.origin, 120), None, REFUSED, (why,)))
                continue
            needed = people if roster_file or submission.platform else None
            origin = unmatched.called(submission.origin)
            before = unmatched.kept(submission, assigned, lab, course_submitted)
            student, why = identified(submission, needed, said.get(origin, before))
            if student and origin in said:
                whose[origin] = student
            if origin in said and assigned.get(origin, student) != student:
                before_that[shown(submission.origin, 120)] = assigned[origin], submission
            if student:
                students[student].append(submission)
                if not said.get(origin, before):
                    by_name[student].append(submission)
            elif submission.platform == "canvas" and roster.is_test_student(submission.name):
                arrivals.append(Arrival(shown(submission.origin, 120), None, LEFT_OUT, (TEST_STUDENT,)))
            else:
                inside = zip_in_zip(submission) if len(submissions) == 1 else ""
                arrivals.append(
                    Arrival(shown(submission.origin, 120), None, UNMATCHED, (inside or f"{why}.",))
                )
        for student, sent in by_name.items():
            for submission in namesakes(student, sent, people):
                students[student].remove(submission)
                note = ACCOUNTS.format(submission.number)
                arrivals.append(Arrival(shown(submission.origin, 120), None, UNMATCHED, (note,)))
        try:
            course_submitted.mkdir(parents=True, exist_ok=True)
            with stored.alone(course_submitted):
                stored.recover(course_submitted)
                with tempfile.TemporaryDirectory(prefix=stored.DRAFT, dir=course_submitted) as draft:
                    for listed_as, (old, submission) in [*before_that.items()]:
                        if not stored.take_back(course_submitted / old / lab, lab, submission, Path(draft)):
                            del before_that[listed_as]
                    for student, sent in bar(
                        sorted(filter(itemgetter(1), students.items())), f"collecting {lab}"
                    ):
                        found, handed[student] = drafted(student, sent, lab, Path(draft), course_submitted)
                        arrivals += found
                    for folder in sorted(Path(draft, "new").glob("*")):
                        put(course_submitted / folder.name / lab, folder, Path(draft))
                keep(
                    course_submitted,
                    lab,
                    handed,
                    arrivals,
                    {origin: whose.get(origin, "") for origin in said},
                )
                if names:
                    left = {arrival.origin for arrival in arrivals if arrival.outcome == UNMATCHED}
                    unmatched.add(names, [each for each in submissions if shown(each.origin, 120) in left])
        except OSError as problem:
            raise LabError(f"Cannot write {course_submitted}: {problem.strerror or problem}.") from problem
    for place, arrival in enumerate(arrivals):
        if arrival.origin in before_that:
            note = BACK.format(before_that[arrival.origin][0])
            arrivals[place] = replace(arrival, notes=(*arrival.notes, note))
    return sorted(arrivals, key=lambda arrival: (arrival.student or "", arrival.origin))


def namesakes(student: str, sent: list[Submission], people: roster.Roster | None) -> list[Submission]:
    """What other accounts of Canvas sent, where several have the name by which a student was found."""
    flat = [each for each in sent if each.platform == "canvas" and each.number.isdecimal()]
    if people is None or len({each.number for each in flat}) < 2:
        return []
    return [each for each in flat if people.find("", each.number)[0] != student]


def zip_in_zip(submission: Submission) -> str:
    """The sentence on a download that is packed once more; "" for any other file."""
    packed = submission.platform == UNKNOWN and submission.origin.casefold().endswith(".zip")
    return "It is a zip inside the zip: unpack the outer one, and collect from this one." if packed else ""


def needs_attention(arrivals: list[Arrival]) -> bool:
    """Whether a person must act: somebody's work was refused, matched to nobody, or not there at all."""
    there = {arrival.student for arrival in arrivals if arrival.outcome in (COLLECTED, UNCHANGED, OLDER)}
    return not arrivals or any(
        arrival.unclear
        or arrival.outcome in (REFUSED, UNMATCHED)
        or (arrival.outcome == NOTHING and arrival.student not in there)
        for arrival in arrivals
    )


def keep(
    submitted: Path, lab: str, handed: dict[str, Handed], arrivals: list[Arrival], said: dict[str, str]
) -> None:
    """Bring the register up to date with what this call found wrong, and with what is right by now.

    said: the student by origin that a person named, "" for none.
    """
    known = register.read(submitted, lab)
    wrong = {student: one for student, one in handed.items() if one != Handed()}
    matched = {arrival.origin for arrival in arrivals if arrival.outcome != UNMATCHED}
    nobodys = {
        arrival.origin: " ".join(arrival.notes)
        for arrival in arrivals
        if not arrival.student and arrival.outcome in (UNMATCHED, REFUSED)
    }
    new = register.Register(
        {student: one for student, one in known.students.items() if student not in handed} | wrong,
        {origin: why for origin, why in known.unmatched.items() if origin not in matched} | nobodys,
        {origin: student for origin, student in (known.assigned | said).items() if student},
    )
    if new != known:
        register.write(submitted, lab, new)


# Identifying students


def sorted_out(
    entries: list[archive.Entry], lab: str, zone: tzinfo | None, people: roster.Roster | None
) -> tuple[list[Submission], list[Arrival]]:
    """Group files into submissions by the first part of the path; also list the unmatched files."""
    straight = unwrapped([entry for entry in entries if not entry.stray], lab, people)
    strangers = [
        Arrival(path_of(entry), None, REFUSED, (f"Not read: {entry.stray}.",))
        for entry in entries
        if entry.stray and not entry.litter
    ]
    found, rest, metadata = {}, defaultdict(list), gradescope.submitters(straight)
    for entry in straight:
        if archive.littered(entry.parts[:1]):
            continue
        several = metadata.get(entry.parts[0]) if entry.parts[1:] else None
        if several:
            senders = [(submission, "/".join(entry.parts[1:])) for submission in several]
        else:
            senders = list(filter(None, [sender(entry.parts, lab)]))
        for submission, name in senders:
            submission = found.setdefault(submission.origin, submission)
            if name and not entry.litter:
                submission.files[name] = entry
        if not senders and not entry.litter and not of_other_lab(entry.parts, lab):
            rest[entry.parts[0]].append(entry)
    found = {origin: each for origin, each in found.items() if not for_other_lab(each, lab)}
    by_platform = {submission.platform for submission in found.values()}
    for first, inside in rest.items():
        if own := of_student(first, inside, lab, people):
            found[first] = own
            continue
        for entry in inside:
            if not folders.of_platform("/".join(entry.parts), by_platform):
                origin = "/".join(entry.parts[:-1]) or entry.parts[0]
                name = first if people and origin == first and is_strangers(first, inside, lab) else ""
                nobodys = found.setdefault(origin, Submission(origin, name, platform=UNKNOWN))
                nobodys.files[entry.parts[-1]] = entry
    for submission in found.values():
        if not submission.platform:
            set_time(submission, zone)
    return list(found.values()), strangers


def is_strangers(first: str, entries: list[archive.Entry], lab: str) -> bool:
    """Whether a folder is named as by an id, and holds the notebook of a lab."""
    inside = [entry.parts[-1] for entry in entries if len(entry.parts) == 2]
    return bool(STUDENT.fullmatch(first)) and any(is_copy(name, lab) for name in inside)


def of_student(
    first: str, entries: list[archive.Entry], lab: str, people: roster.Roster | None
) -> Submission | None:
    """The submission in a folder that is named by a student's id or name; None if it is not.

    Without a roster only a folder that holds the lab's notebook is one.
    """
    files = {"/".join(entry.parts[1:]): entry for entry in entries if len(entry.parts) > 1}
    if people:
        student = first if first in people.lines else people.find(first)[0]
    else:
        student = first if any(is_copy(name, lab) for name in files) else None
    return Submission(first, student, files=files) if files and student else None


def path_of(entry: archive.Entry) -> str:
    """The path of a file for a message."""
    return shown("/".join(entry.parts), 120)


def set_time(submission: Submission, zone: tzinfo | None) -> None:
    """Read the time of a submission from the folder's name, else from timestamp.txt; note what is unclear."""
    stamps = [submission.stamp] if submission.stamp else []
    if "timestamp.txt" in submission.files:
        stamps.append(submission.files["timestamp.txt"].text())
    problems = []
    for stamp in stamps:
        try:
            submission.time = times.read(stamp, zone)
        except times.Unclear as problem:
            problems.append((stamp, problem))
        else:
            if times.without_zone(stamp):
                of = zone or times.of_exchange()
                submission.notes = (f"Its time '{shown(stamp.strip())}' names no zone: it was read as {of}.",)
            return
    if problems:
        stamp, problem = problems[0]
        submission.stamp, submission.local, submission.unclear = stamp, problem.local, True
        submission.notes = (str(problem),)


# Writing the course folder


def drafted(
    student: str, sent: list[Submission], lab: str, draft: Path, submitted: Path
) -> tuple[list[Arrival], Handed]:
    """Write the latest readable notebook into the draft; the outcomes, and what stays wrong."""
    arrivals, taken, refusals = [], None, []
    there = stored.own(submitted / student / lab)
    handed = Handed()

    def arrived(submission: Submission, outcome: str, *notes: str) -> None:
        notes = (*notes, *submission.notes)
        arrivals.append(Arrival(shown(submission.origin, 120), student, outcome, notes, submission.unclear))

    sent = sorted(sent, key=Submission.rank, reverse=True)
    for submission in sent:
        name, notes = pick(sorted(submission.files), lab)
        others = [
            other for other in sorted(submission.files) if other not in HARMLESS and not is_copy(other, lab)
        ]
        if name is None:
            outcome, why = without_notebook(others, lab)
            arrived(submission, outcome, why)
            refusals.append((outcome, why))
        elif taken:
            arrived(submission, OLDER, f"A later one was taken: {shown(taken.origin)}.")
        else:
            try:
                raw = submission.files[name].read()
            except Unreadable as problem:
                arrived(submission, REFUSED, str(problem))
                refusals.append((REFUSED, str(problem)))
                continue
            taken = submission
            handed.later = " ".join(why for outcome, why in refusals if outcome == REFUSED)
            if others:
                notes = (*notes, f"Not taken along, because only the notebook is graded: {listed(others)}.")
            if submission.late:
                notes = (*notes, "The platform marks it late, and the download does not say when it came.")
            if (count := attempts(sent, lab)) > 1:
                notes = (*notes, f"The latest of {count} submissions that holds a notebook.")
            outcome, why = compared(there, lab, raw, submission)
            if outcome == COLLECTED:
                write(draft / "new" / student, lab, raw, submission)
            if submission.unclear and (outcome == COLLECTED or not (there / "timestamp.txt").exists()):
                handed.time = submission.stamp or "(empty)"
            arrived(submission, outcome, *notes, *why)
    if not taken:
        said = [why for _, why in sorted(refusals, key=lambda refusal: refusal[0] != REFUSED)]
        why = " ".join(dict.fromkeys(said[:3]))
        in_place = there.is_dir() and pick([path.name for path in there.iterdir()], lab)[0]
        handed = Handed(later=why) if in_place else Handed(refused=why)
    return arrivals, handed


def attempts(sent: list[Submission], lab: str) -> int:
    """How often a student handed in: a text or file of the same attempt, without a notebook, is a part of it.

    Canvas numbers the files and not the attempts.
    """
    with_notebook = sum(pick(sorted(each.files), lab)[0] is not None for each in sent)
    moments = {each.rank()[:2] for each in sent if each.platform not in ("canvas", "anonymous")}
    return max(with_notebook, len(moments))


def without_notebook(others: list[str], lab: str) -> tuple[str, str]:
    """The outcome of a submission without the notebook of the lab, and the reason."""
    zipped = [other for other in others if re.search(r"\.(zip|gz|tar|7z|rar)$", other.casefold())]
    if zipped:
        return REFUSED, f"An archive inside the download is not opened: {listed(zipped)}. " \
                        f"Hand in the notebook {lab}.ipynb itself."  # fmt: skip
    return NOTHING, NO_NOTEBOOK.format(lab=lab, sent=listed(others) or "only hidden files")
