"""Runs one untrusted notebook in one sandbox and validates its results.

Code inside cannot forge the outcome: cell names come from the grader's copy of the notebook, time and
memory limits are checked outside, and only outputs that are valid for nbformat are kept, up to the limit.
"""

import base64
import json
import os
import selectors
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat
from nbformat import v4

from grader.sandbox import agreement, covered, events, launch, zygote_client
from grader.sandbox.limits import Limits, fallbacks, groups
from grader.status import Status
from labsupport.errors import LabError
from labsupport.machine import Machine

DEFAULTS = Limits()
ISOLATIONS = ("bwrap", "none")
CUT = "[output cut: more than is allowed]\n"  # for a cell that was killed before the runner reported the cut
OUTPUTS = 2000  # outputs kept of a notebook; a page shows fewer
MALFORMED = "malformed"  # the runner's word for it
GRACE = 15.0  # seconds after a cell's time limit in which the runner can interrupt it
__all__ = ["CommandOutcome", "Limits", "Outcome", "run_command", "run_notebook"]


@dataclass(frozen=True)
class Outcome:
    """The outcome of a notebook; `notebook` is the executed one, possibly partial."""

    status: Status
    cell: str  # grade_id or id of the cell that was running at the end; "" for Status.FINISHED
    reason: str  # one sentence
    notebook: bytes | None
    seconds: float
    unenforced: tuple[str, ...]  # sentences on limits that this machine cannot enforce
    start: float = 0.0  # seconds until the kernel was ready


@dataclass(frozen=True)
class CommandOutcome:
    """The outcome of a command, and its output on both streams, cut to the limit."""

    status: Status
    reason: str
    returncode: int | None
    output: str
    seconds: float
    unenforced: tuple[str, ...]


@dataclass
class _Run:
    """The state of a run, as observed by the grader."""

    started: float
    status: Status | None = None
    detail: str = ""
    ready: bool = False
    judge: Machine | None = None  # the judge's side, if the sandbox must agree with it
    start: float = 0.0
    cell: int | None = None  # the running cell
    since: float = 0.0
    cut: set[int] = field(default_factory=set)  # cells with too much output
    code: int | None = None
    seconds: float = 0.0
    unenforced: tuple[str, ...] = ()


def run_notebook(
    notebook: bytes,
    socket_path: Path | None,
    limits: Limits = DEFAULTS,
    isolation: str = "bwrap",
    cold: bool = True,
    lab: int | None = None,
    taken: Mapping[str, str] = MappingProxyType({}),
    judge: Machine | None = None,
) -> Outcome:
    """Execute a notebook's code cells in a sandbox, in order, until the end or a limit.

    socket_path: the examiner's Unix socket, or None. isolation: "bwrap", or "none" for a plain process.
    cold: start a new Python; otherwise the zygote is forked, if there is one. lab: the number of the graded
    lab, whose exercises' implementations are withheld from the sandbox, without those in `taken`, by exercise
    the text of its file.
    judge: the machine of the judge's side. Raises LabError when no sandbox can be created on this machine, or
    when it computes otherwise than the judge.
    """
    try:
        executed = nbformat.reads(notebook.decode(), as_version=4)
        nbformat.validate(executed)
    except Exception as problem:
        return Outcome(Status.GRADER_ERROR, "", f"This is not a notebook: {_short(problem)}.", None, 0.0, ())
    code = [index for index, cell in enumerate(executed.cells) if cell.cell_type == "code"]
    for index in code:
        executed.cells[index] |= {"outputs": [], "execution_count": None}

    def keep(event: events.Event) -> None:
        if isinstance(event, events.End) and event.cell in code:
            room = OUTPUTS - sum(len(executed.cells[index].outputs) for index in code)
            executed.cells[event.cell].outputs = _outputs(event.outputs, max(room, 1))
            executed.cells[event.cell].execution_count = event.count if type(event.count) is int else None

    job = {"notebook": executed, "cell_seconds": limits.cell_seconds}
    about = {"judge": judge, "grace": GRACE, "most": 2 * limits.output + 2**17 * (len(code) + 8)}
    try:
        run = _run(job, socket_path, limits, isolation, cold, lab, taken, keep=keep, **about)
    except zygote_client.Gone:  # not caused by this submission: run it again without the zygote
        zygote_client.zygote.lose()
        run = _run(job, socket_path, limits, isolation, True, lab, taken, keep=keep, **about)
    if run.cell in run.cut and run.cell in code and not executed.cells[run.cell].outputs:
        executed.cells[run.cell].outputs = [v4.new_output("stream", name="stderr", text=CUT)]
    cell = min(run.cut) if run.status == Status.OUTPUT_LIMIT and run.cell is None and run.cut else run.cell
    name = _name(executed, cell) if run.status != Status.FINISHED else ""
    reason = _reason(run, name, limits)
    assert run.status is not None
    return Outcome(run.status, name, reason, _bytes(executed), run.seconds, run.unenforced, run.start)


def run_command(
    command: list[str],
    files: dict[str, bytes],
    socket_path: Path | None,
    limits: Limits = DEFAULTS,
    isolation: str = "bwrap",
    lab: int | None = None,
    judge: Machine | None = None,
) -> CommandOutcome:
    """Run one command in a sandbox with these files in its folder, for at most `cell_seconds`.

    The status is FINISHED for any exit status; other statuses, and `judge`, as for a notebook. A command
    that is to agree with a judge reports by labsupport.machine.tell.
    """
    if wrong := [name for name in files if Path(name).name != name]:
        raise ValueError(f"a file's name, not a path: {wrong[0]!r}")
    texts: list[str] = []

    def keep(event: events.Event) -> None:
        if isinstance(event, events.Printed):
            texts.append(event.text)

    contents = {name: base64.b64encode(data).decode() for name, data in files.items()}
    job = {"command": command, "files": contents}
    about = {"judge": judge, "grace": 0.0, "most": 8 * limits.output + 2**20}
    run = _run(job, socket_path, limits, isolation, True, lab, {}, keep=keep, **about)
    output = "".join(texts)[: limits.output]
    reason = _reason(run, "", limits).replace("The notebook", "The command")
    assert run.status is not None
    return CommandOutcome(run.status, reason, run.code, output, run.seconds, run.unenforced)


def _run(
    job, socket_path, limits, isolation, cold, lab, taken: Mapping[str, str], *,
    judge: Machine | None, grace: float, most: int, keep: Callable,
) -> _Run:  # fmt: skip
    """Launch the runner with this job, supervise it until its end or a limit, and clean up."""
    if isolation not in ISOLATIONS:
        raise LabError(f"There is no isolation called '{isolation}'. Known: {', '.join(ISOLATIONS)}.")
    run = _Run(started=time.monotonic(), judge=judge)
    with groups(limits) as own, tempfile.TemporaryFile() as task:
        rlimits, run.unenforced = fallbacks(limits, own, isolation != "none")
        about = {"rlimits": rlimits, "output": limits.output, "report": judge is not None}
        task.write(json.dumps({**job, **about}).encode())
        task.seek(0)
        enclosure = launch.sandboxed if cold or zygote_client.zygote.address is None else launch.forked
        enclosure = launch.plain if isolation == "none" else enclosure
        with enclosure(own, socket_path, limits, lab, taken, task) as process:
            errors = _follow(process, run, limits, grace=grace, most=most, keep=keep)
        if run.status is None and enclosure is launch.forked and not zygote_client.zygote.alive():
            raise zygote_client.Gone
        died = run.status in (None, Status.KERNEL_DIED) or (run.status == Status.FINISHED and run.code)
        if died and own.out_of_memory():
            flood = run.cell in run.cut  # its output filled its memory faster than it was read
            run.status = Status.OUTPUT_LIMIT if flood else Status.OUT_OF_MEMORY
        if run.status is None and not run.ready:
            if errors.startswith(covered.COMPLAINTS):
                raise LabError(covered.advice(errors))
            run.status, run.detail = Status.GRADER_ERROR, errors or "the runner did not start"
        run.status = run.status or Status.KERNEL_DIED
        if run.status == Status.FINISHED and run.cut:
            run.status = Status.OUTPUT_LIMIT
    run.seconds = time.monotonic() - run.started
    return run


def _follow(process, run: _Run, limits: Limits, *, grace: float, most: int, keep: Callable) -> str:
    """Read the runner's events until the end or a limit. Returns the end of its standard error."""
    line, errors, total = bytearray(), b"", 0
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        ready.register(process.stderr, selectors.EVENT_READ)
        while run.status is None:
            deadline = last = run.started + limits.total_seconds
            if run.cell is not None:
                deadline = min(deadline, run.since + limits.cell_seconds + grace)
            events = ready.select(max(0.0, deadline - time.monotonic()))
            if not events:
                run.status, run.detail = Status.TIMEOUT, "total" if deadline == last else ""
            for key, _ in events:
                part = os.read(key.fd, 2**20)
                if key.fileobj is process.stderr:
                    errors = (errors + part)[-2000:]
                    if not part:
                        ready.unregister(process.stderr)
                elif not part:
                    process.stdout.close()
                    return (errors + process.stderr.read(2000)).decode(errors="replace").strip()
                else:
                    total += len(part)
                    line += part
                    if b"\n" in part:
                        *whole, line = line.split(b"\n")
                        for each in whole:
                            _take(each, run, keep)
            if total > most and run.status is None:
                run.status = Status.OUTPUT_LIMIT
    return errors.decode(errors="replace").strip()


def _take(line: bytes | bytearray, run: _Run, keep: Callable[[events.Event], None]) -> None:
    """Process one event. A line that is not an event ends the run."""
    if run.status is not None:
        return
    try:
        event = events.decode(line)
    except events.NoEvent:
        event = None
    if run.judge is not None and not run.ready:
        agreement.begun_well(run.judge, event)
    match event:
        case events.Ready():
            run.ready, run.start = True, time.monotonic() - run.started
        case events.Start():
            run.cell, run.since = event.cell, time.monotonic()
        case events.Flood():
            run.cut.add(event.cell)
        case events.End():
            keep(event)
            if event.cut:
                run.cut.add(event.cell)
            if event.ended == Status.FINISHED:
                run.cell = None
        case events.Printed():
            keep(event)
        case events.Over():
            run.status, run.detail, run.code = event.status, event.detail, event.code
        case None:
            run.status, run.detail = Status.KERNEL_DIED, "report"


def _outputs(outputs: list, most: int) -> list:
    """The first outputs of a cell, or none if they are not valid outputs of a notebook."""
    try:
        plain: Any = nbformat.from_dict(outputs[:most])
        nbformat.validate(v4.new_notebook(cells=[v4.new_code_cell(outputs=plain)]))  # one by one is slow
        return plain
    except (nbformat.ValidationError, TypeError, ValueError, AttributeError, KeyError, RecursionError):
        return []


def _bytes(notebook) -> bytes | None:
    """The notebook as bytes of a file, or None if it is not valid."""
    try:
        nbformat.validate(notebook)
        return nbformat.writes(notebook).encode(errors="replace")
    except (nbformat.ValidationError, TypeError, ValueError, RecursionError):
        return None


def _name(notebook, index: int | None) -> str:
    """The name of a cell: its grade_id, its id, or its place."""
    if index is None or not 0 <= index < len(notebook.cells):
        return ""
    cell = notebook.cells[index]
    mark = cell.metadata.get("nbgrader")
    grade_id = mark.get("grade_id") if isinstance(mark, dict) else None
    return str(grade_id or cell.get("id") or f"cell {index + 1}")[:200]


def _reason(run: _Run, name: str, limits: Limits) -> str:
    """The reason of the end in one sentence for the instructor."""
    assert run.status is not None
    where, most = f"Cell '{name}'" if name else "The notebook", _size(limits.output)
    slow = f"{where} ran longer than {limits.cell_seconds:g} s and was stopped."
    if run.detail == "total":
        slow = f"The notebook took longer than {limits.total_seconds:g} s in all; '{name}' was running."
    most = f"{most} or {limits.output // 2**10:,} pieces"
    much = f"{where} put out more than {most}; it was interrupted, the rest ran."
    if run.cell is not None:
        much = f"{where} put out more than {most} and could not be interrupted, so all was stopped."
    died = "ended the Python process (a crash, os._exit, a kill)"
    if run.detail == MALFORMED:
        died = "sent messages that no notebook's kernel sends, and was stopped"
    return {
        Status.FINISHED: "Every cell ran.",
        Status.TIMEOUT: slow,
        Status.OUT_OF_MEMORY: f"{where} took more than the {_size(limits.memory)} of memory allowed "
        "and was killed.",
        Status.KERNEL_DIED: f"{where} {died}; nothing after it ran.",
        Status.OUTPUT_LIMIT: much,
        Status.GRADER_ERROR: f"The sandbox failed, not the submission: {_short(run.detail)}.",
    }[run.status]


def _size(count: int) -> str:
    return f"{count / 2**30:g} GiB" if count >= 2**30 else f"{count / 2**20:g} MiB"


def _short(problem) -> str:
    """The last line of an error, without a full stop."""
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    return lines[-1][:300].rstrip(".")
