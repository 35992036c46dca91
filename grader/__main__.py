"""The command line of the grader: `python -m grader COMMAND`."""

import argparse
import contextlib
import errno
import importlib.util
import json
import os
import sys
from pathlib import Path

from grader import course
from grader.sandbox.limits import Limits
from labsupport import __version__, console
from labsupport.errors import LabError

MACHINES = {  # errors of a disk or its rights, which are no fault of the grader's
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOTDIR, errno.EISDIR
}  # fmt: skip
ISOLATIONS = ("bwrap", "none")
LAYOUTS = ("canvas", "moodle")
ONE_LAB = "02, 2 or 02_magnitude_pruning"
HELP = "Build, release and grade the pruning labs."
EXAMPLES = """\
a class, from release to grades:
  python -m grader release                         students.zip, and the labs in nbgrader's gradebook
  python -m grader collect 02 downloads.zip --roster roster.csv
  python -m grader grade 02                        started again, it goes on where it was
  python -m grader report 02                       one page on the class
  python -m grader grades 02 --csv grades.csv
  python -m grader feedback 02                     a page for each student

a lab is named 02, 2 or 02_magnitude_pruning. Everything lies in the course folder: course/ in the checkout,
or PRUNING_LABS_COURSE. PRUNING_LABS_MODEL, PRUNING_LABS_TEXT and PRUNING_LABS_DEVICE name another model,
text or device.

exit status: 0 all went well; 1 something needs your attention; 2 it failed, and one
sentence says why. `python -m grader COMMAND --help` explains a command.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status; a LabError is printed as one sentence, status 2."""
    console.never_fail()
    chosen = parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except LabError as problem:
        if console.was_interrupted(problem):
            return interrupted()
        print(problem, file=sys.stderr)
        return 2
    except ModuleNotFoundError as problem:
        if console.was_interrupted(problem):
            return interrupted()
        if importlib.util.find_spec("nbgrader"):
            raise
        print(console.needs_course(chosen.run.__name__.rstrip("_"), problem), file=sys.stderr)
        return 2
    except OSError as problem:
        if problem.errno not in MACHINES:
            raise
        print(cannot(problem), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return interrupted()


def cannot(problem: OSError) -> str:
    """The sentence on a file that the machine does not let us read or write."""
    names = (name for name in (problem.filename, problem.filename2) if not isinstance(name, int | None))
    place = " or ".join(map(os.fsdecode, names)) or "A file"
    return f"{place} cannot be read or written: {problem.strerror}. What was finished is kept."


def interrupted() -> int:
    """Say so; the exit status of a command that Ctrl-C has ended."""
    print("Interrupted; what was finished is kept.", file=sys.stderr)
    return 130


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; a command's docstring is its description in --help."""
    top = argparse.ArgumentParser(
        prog="python -m grader",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"pruning-labs {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(run, help: str) -> argparse.ArgumentParser:
        one = commands.add_parser(run.__name__.rstrip("_"), help=help, description=run.__doc__)
        one.set_defaults(run=run)
        return one

    one = command(build, "solutions/*.py -> notebooks/")
    one.add_argument("labs", nargs="*", metavar="LAB", help="02 or 02_magnitude_pruning; default: all")
    one.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 when notebooks/ differs by a byte"
    )

    one = command(release, "a zip for students, and the labs in the gradebook")
    one.add_argument("labs", nargs="*", metavar="LAB", help="02 or 02_magnitude_pruning; default: all")

    one = command(collect, "take submissions from nbgrader's exchange or a learning platform's download")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument(
        "source",
        metavar="FOLDER_OR_ZIP",
        type=Path,
        help="the download, or an exchange's inbound folder",
    )
    one.add_argument("--roster", metavar="CSV", type=Path, help="names and student ids")
    one.add_argument(
        "--zone",
        metavar="ZONE",
        help="the exchange's, as Asia/Kolkata; default: of own_config.py, or UTC",
    )

    one.add_argument(
        "--unmatched",
        metavar="CSV",
        type=console.file_name,
        help="lists what could be matched to nobody; fill in student_id and run it again",
    )

    one = command(grade, "grade what is not graded yet; resumable")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument("--student", type=student_id, metavar="ID", help="grade this student only")
    where = one.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="submissions graded in parallel here; default: 1, or one for each GPU",
    )
    where.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="a Dask scheduler, as tcp://HOST:8786",
    )
    one.add_argument(
        "--timeout", type=positive, metavar="S", help=f"seconds for a cell; default {Limits.cell_seconds:.0f}"
    )
    one.add_argument(
        "--isolation", choices=ISOLATIONS, default="bwrap", help="'none' runs submissions unprotected"
    )
    one.add_argument("--cold", action="store_true", help="start a new Python process for every submission")
    one.add_argument(
        "--all-cells",
        action="store_true",
        help="run the lab's own experiments, too; no point depends on them",
    )
    one.add_argument(
        "--device", metavar="NAME", help="cpu, cuda or cuda:1; default: a GPU that works, else the CPU"
    )

    one = command(watch, "grade and give back as work arrives")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument("source", metavar="INBOUND", type=Path, help="an exchange's inbound folder, or another")
    one.add_argument("--once", action="store_true", help="handle what is there, and end; for cron")
    one.add_argument(
        "--workers", type=positive, metavar="N", default=1, help="graded in parallel when several wait"
    )
    one.add_argument("--attempts", type=positive, metavar="N", default=10, help="of a student; default 10")
    one.add_argument(
        "--cool-down", type=positive, metavar="MIN", default=10, help="minutes between two; default 10"
    )

    one = command(extensions, "more time for students, and exemptions")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument("csv", metavar="FILE.csv", type=Path, help="student_id, and days, until or exempt")

    one = command(teams, "teams that hand in together")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument("csv", metavar="FILE.csv", type=Path, help="student_id, team")

    one = command(essays, "written answers for several people to grade, without names")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    way = one.add_mutually_exclusive_group(required=True)
    way.add_argument(
        "--to", metavar="CSV", type=console.file_name, nargs="+", help="new files, one for each person"
    )
    way.add_argument("--from", metavar="CSV", type=Path, nargs="+", dest="back", help="the files with points")

    one = command(regrade, "grade again after a mended judge; who changed, and by how much")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument("--why", metavar="SENTENCE", default="", help="for the feedback of those who changed")
    one.add_argument("--dry-run", action="store_true", help="show the changes, and write nothing")
    one.add_argument("--workers", type=positive, metavar="N", help="submissions graded in parallel")

    one = command(feedback, "a feedback page for each student")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument("--student", type=student_id, metavar="ID", help="the page of this student only")

    one = command(grades, "scores as CSV")
    one.add_argument("lab", metavar="LAB", help=ONE_LAB)
    one.add_argument("--csv", required=True, metavar="F", type=Path, help="the output file; - prints it")
    one.add_argument("--layout", choices=LAYOUTS, help="the columns that this platform imports")
    one.add_argument(
        "--column", metavar="TITLE", default="", help="what the platform calls the lab: 'Lab 2 (4711)'"
    )

    one = command(report, "one HTML page on the class, or on the course")
    one.add_argument("lab", metavar="LAB", nargs="?", help=f"{ONE_LAB}; default: all labs on one page")

    one = command(try_, "judge one function on the hidden cases of its exercise")
    one.add_argument("exercise", metavar="EXERCISE", help="its name, such as magnitude_mask")
    one.add_argument("file", metavar="FILE.py", type=Path, help="defines a function of that name")
    one.add_argument("--json", action="store_true", help="print the verdict as JSON")
    one.add_argument(
        "--isolation", choices=ISOLATIONS, default="bwrap", help="'none' runs the file unprotected"
    )

    one = command(forget, "remove a student from the course folder")
    one.add_argument("student", type=student_id, metavar="STUDENT", help="the student id")
    one.add_argument("--yes", action="store_true", help="remove; without it, show what would be removed")

    one = command(archive, "the course in one file")
    one.add_argument("file", metavar="FILE.zip", type=console.file_name)

    one = command(unarchive, "open such a file")
    one.add_argument("file", metavar="FILE.zip", type=Path)
    one.add_argument("folder", metavar="FOLDER", type=Path, help="a new folder")

    command(demo, "grade a small class of lab 02, from release to report")
    return top


def loading(what: str = "loading the libraries") -> contextlib.AbstractContextManager:
    """A line that says what takes seconds. `--help` imports nothing for it."""
    from labsupport import progress

    return progress.loading(what)


def student_id(text: str) -> str:
    """Parse a student's id, which an unset variable of a script is not: it would mean the whole class."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty, and a student's id is needed here")
    return text


def positive(text: str) -> int:
    """Parse an argument that must be a positive integer."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def build(chosen) -> int:
    """Build the student notebooks from their sources, or check whether they are up to date."""
    with loading():
        from grader.author import notebooks as builder

    if not chosen.check:
        builder.build(chosen.labs or None)
        return 0
    differences = builder.drift()
    print("\n".join(differences) or "The student notebooks are up to date.")
    return 1 if differences else 0


def release(chosen) -> int:
    """Make the students' zip of these labs (default: all), and enter the labs into the gradebook."""
    with loading():
        from grader.author.release import release as make

    print(make([course.lab(name) for name in chosen.labs] or course.labs()))
    return 0


def collect(chosen) -> int:
    """Copy submissions into the course folder. Those without a matching student are listed."""
    with loading():
        from grader.intake import collect as collector
        from grader.intake import roster, teams, times

    zone = times.zone_named(chosen.zone) if chosen.zone else None
    arrivals = collector.collect(
        course.lab(chosen.lab),
        chosen.source,
        course.folder() / "submitted",
        chosen.roster,
        zone,
        chosen.unmatched,
    )
    if chosen.roster:  # who is in the class: grades and report list them all
        try:
            roster.keep(chosen.roster, course.folder() / "roster.csv")
        except OSError as problem:
            raise LabError(
                f"The roster cannot be kept in {course.folder()}: {problem.strerror}."
            ) from problem
    for arrival in arrivals:
        whose = f"{arrival.student}: " if arrival.student else ""
        print(
            f"{arrival.outcome:<10} {whose}{arrival.origin}",
            *(f"\n           {note}" for note in arrival.notes),
            sep="",
        )
    said, unclear = teams.spread(course.lab(chosen.lab))
    print(*said, sep="\n", end="\n" * bool(said))
    there = sum(arrival.outcome in (collector.COLLECTED, collector.UNCHANGED) for arrival in arrivals)
    if not arrivals:
        print(f"Nothing of {course.lab(chosen.lab)} is in {chosen.source}: is it the right download?")
    print(f"{there} of {len(arrivals)} submissions are in place")
    return 1 if collector.needs_attention(arrivals) or unclear else 0


def grade(chosen) -> int:
    """Grade a class. Exit 0: all graded, 1: some submissions ended otherwise, 2: nothing could be graded."""
    if chosen.device:
        os.environ["PRUNING_LABS_DEVICE"] = chosen.device
    with loading():
        from grader.grade.alone import alone
        from grader.grade.class_run import grade_class
        from grader.results import gradebook, table
        from grader.results.similarity import identical
        from grader.status import Status
        from labsupport import settings

    lab = course.lab(chosen.lab)
    if note := settings.note():
        print(f"Note: {note}")
    limits = Limits(cell_seconds=chosen.timeout) if chosen.timeout else Limits()
    with alone(lab):
        records = grade_class(
            lab,
            () if chosen.student is None else (chosen.student,),
            chosen.workers,
            limits,
            chosen.isolation,
            chosen.cold,
            chosen.scheduler,
            chosen.all_cells,
        )
        otherwise = [record for record in records if record.status != Status.GRADED]
        unreached = None
        try:
            gradebook.hand_over(lab, records)
        except LabError as problem:
            unreached = problem
        for sentence in sorted({sentence for record in records for sentence in record.unenforced}):
            print(f"Note: {sentence}")
        print(f"{lab}: {len(records) - len(otherwise)} of {len(records)} graded")
        for record in otherwise:
            print(f"  {record.student}: {record.status}: {record.reason}")
        with contextlib.suppress(LabError) if unreached else contextlib.nullcontext():
            for row in table.rows(lab, only=() if chosen.student is None else (chosen.student,)):
                for note in row.notes:
                    print(f"  {row.student}: {note}")
        for group in identical.groups(lab, {record.student for record in records}):
            print(f"  Byte-identical notebooks: {', '.join(group)}")
        if unreached:
            raise unreached
    return 1 if otherwise else 0


def watch(chosen) -> int:
    """Collect, grade and give back what arrives, until Ctrl-C. With --once, exit 1: look at something."""
    from datetime import timedelta

    with loading():
        from grader.watch import Watch

    cool_down = timedelta(minutes=chosen.cool_down)
    with Watch(course.lab(chosen.lab), chosen.source, chosen.attempts, cool_down, chosen.workers) as here:
        if chosen.once:
            return int(here.look())
        here.forever()
    return 0


def extensions(chosen) -> int:
    """Keep who has more time or is exempt, and compute lateness again. Exit 1: somebody is not known."""
    with loading():
        from grader.intake import extensions as granting
        from grader.results import penalties, table

    lab = course.lab(chosen.lab)
    known = table.known(lab)
    granted = granting.keep(lab, chosen.csv)
    penalties.renew(lab)
    strangers = {student for student, one in granted.items() if one != granting.Extension()} - known
    for student, one in granted.items():
        print(f"  {student}: {one}" + (" (not known in this course)" if student in strangers else ""))
    due = table.due(lab)
    if any(one.days for one in granted.values()) and not due:
        print(f"{lab} has no due date yet: days count from it once it has one.")
    vain = [student for student, one in granted.items() if due and one.until and not one.beyond(due)]
    if vain:
        print(f"{lab} is due {due:%Y-%m-%d %H:%M} UTC, so there is no more time for: {', '.join(vain)}.")
    return 1 if strangers or vain else 0


def teams(chosen) -> int:
    """Keep who works together, and let one work count for all. Exit 1: somebody is not known, or unclear."""
    with loading():
        from grader.grade.alone import alone
        from grader.intake import teams as together
        from grader.results import table

    lab = course.lab(chosen.lab)
    known = table.known(lab)
    with alone(lab):
        listed = together.keep(lab, chosen.csv)
        said, unclear = together.spread(lab)
    strangers = [f"{student} is not known in this course" for student in listed if student not in known]
    print(*strangers, *said, f"{lab}, teams: {len({*together.read(lab).values()})}", sep="\n")
    return 1 if strangers or unclear else 0


def essays(chosen) -> int:
    """Hand written answers to people, and enter their points. Exit 1: they differ, or are for other work."""
    with loading():
        from grader.grade.alone import alone
        from grader.results import essays as answers
        from grader.results import marks

    lab = course.lab(chosen.lab)
    if chosen.to:
        print("\n".join(answers.write(lab, chosen.to)))
        return 0
    with alone(lab):
        said, attention = marks.read(lab, chosen.back)
    print("\n".join(said))
    return int(attention)


def regrade(chosen) -> int:
    """Grade what older judges judged, list whose points change, and tell them why. Exit 1: look at one."""
    with loading():
        from grader.grade import regrade as again
        from grader.grade.alone import alone
        from grader.results import gradebook, regraded, table

    lab = course.lab(chosen.lab)
    with alone(lab):
        _, by_hand = table.gradebook(lab)  # first: after hours of grading there may be no database
        records, changes, known = again.regrade(lab, chosen.workers, chosen.why, chosen.dry_run)
        said, attention = regraded.lines(records, changes, known, by_hand)
        print(*said, sep="\n", end="\n" * bool(said))
        kept = " Nothing was written." if chosen.dry_run else ""
        print(f"{lab}: {len(changes)} of {len(records)} change.{kept}")
        if not chosen.dry_run:
            gradebook.hand_over(lab, records)
    return int(attention)


def feedback(chosen) -> int:
    """Write a feedback page for each student, with the judge's messages and the instructor's comments."""
    with loading():
        from grader.results import feedback as pages
        from grader.results import gradebook

    lab = course.lab(chosen.lab)
    student = chosen.student or ""
    print(gradebook.feedback(lab, student), *pages.notes(lab, student), sep="\n")
    return 0


def grades(chosen) -> int:
    """Write one row per student: points per exercise, total, status, late; or what a platform imports."""
    with loading():
        from grader.results import lms_export, penalties, table

    lab = course.lab(chosen.lab)
    penalties.renew(lab)
    if chosen.column and not chosen.layout:
        raise LabError("--column needs --layout: it names the lab's column on a learning platform.")
    lines = lms_export.lines(lab, chosen.layout, chosen.column) if chosen.layout else table.lines(lab)
    if str(chosen.csv) == "-":
        sys.stdout.buffer.write(table.as_csv(lines))
    else:
        print(table.write_csv(lab, chosen.csv, lines))
    if chosen.layout:
        print(lms_export.notes(lab), file=sys.stderr if str(chosen.csv) == "-" else sys.stdout)
    return 0


def report(chosen) -> int:
    """Write one page on the class into the course folder; without a lab, a line a student with all labs."""
    with loading():
        from grader.results import course_page, penalties
        from grader.results import report as page

    if not chosen.lab:
        print(course_page.write(course.folder() / "report.html"))
        return 0
    lab = course.lab(chosen.lab)
    penalties.renew(lab)
    path = page.write(lab, course.folder() / f"report_{lab}.html")
    print(path)
    if page.class_page(path).is_file():
        print(f"{page.class_page(path)} is for the class: chosen names alone")
    return 0


def forget(chosen) -> int:
    """Remove a student everywhere in the course folder, and say what is left and where. Needs --yes."""
    with loading():
        from grader.forget import forget as remove
        from grader.grade.alone import alone

    with alone("forget"):
        print("\n".join(remove(chosen.student, chosen.yes)))
    if not chosen.yes:
        print("Nothing was removed: add --yes.")
    return 0 if chosen.yes else 1


def archive(chosen) -> int:
    """Write the course folder and this project into one zip, which another machine opens."""
    with loading():
        from grader.archive import write
        from grader.grade.alone import alone

    with alone("archive"):
        print("\n".join(write(chosen.file)))
    return 0


def unarchive(chosen) -> int:
    """Open an archive of a course in a new folder, and say what differs here. Trust who sent it."""
    with loading():
        from grader.unarchive import open_

    print("\n".join(open_(chosen.file, chosen.folder)))
    return 0


def demo(chosen) -> int:
    """Grade a small class on the real model, and print what came out."""
    from grader.demo import run

    run()
    return 0


def try_(chosen) -> int:
    """Judge the function EXERCISE of a file on hidden cases. Exit 0: right, 1: wrong, 2: not asked."""
    with loading():
        from grader.grade.try_function import attempt
        from labsupport.check.judge.kit.verdict import Ending

    try:
        with loading(f"asking {chosen.exercise}"):
            verdict = attempt(chosen.exercise, chosen.file, chosen.isolation)
    except LabError as problem:
        if chosen.json:
            print(json.dumps({"exercise": chosen.exercise, "status": Ending.UNASKED, "passed": 0, "total": 0,
                              "message": str(problem)}))  # fmt: skip
            return 2
        raise
    print(json.dumps(verdict.as_json()) if chosen.json else console.printable(verdict.message()))
    return 0 if verdict.status == Ending.RIGHT else 1


if __name__ == "__main__":
    sys.exit(console.to_the_end(main))
