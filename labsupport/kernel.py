"""What a kernel shows for a name that is missing, a model that was put away, and an interrupt: one sentence.

An extension of IPython. The package installs a file that loads it in every kernel of its environment; in
notebooks that are not of this course it does nothing.
"""

import json
import os
from contextlib import suppress
from symtable import symtable
from traceback import walk_tb

PUT_AWAY = ("model", "dense")  # any other None is a missing return, more likely
ABOVE = "Choose Run, Run All Above Selected Cell."


def load_ipython_extension(shell) -> None:
    """Let IPython show the sentence; the cell still ends with its error, as Validate needs it."""

    def explain(shell, kind, problem, traceback, tb_offset=None) -> None:
        with suppress(Exception):  # whatever goes wrong here, the student's own error is shown
            said = _sentence(shell, problem, traceback)
            if said and not hasattr(problem, "_render_traceback_"):
                problem._render_traceback_ = lambda: [said]
        shell.showtraceback((kind, problem, traceback), tb_offset=tb_offset)

    shell.set_custom_exc((NameError, AttributeError, TypeError, KeyboardInterrupt), explain)


def _sentence(shell, problem: BaseException, traceback) -> str:
    """What to show; nothing where the traceback helps more: for a slip in a function's body."""
    cells = _cells(shell)
    if not any("labsupport" in cell for cell in cells):
        return ""
    frames = list(walk_tb(traceback))
    if isinstance(problem, KeyboardInterrupt):
        lines = [line for frame, line in frames if frame.f_globals is shell.user_ns]
        return f"Interrupted in line {lines[-1]}." if lines else "Interrupted."
    if not isinstance(problem, NameError):
        codes = [frame.f_code for frame, _ in frames if frame.f_globals is shell.user_ns]
        used = [name for code in codes for name in code.co_names if name in PUT_AWAY]
        emptied = [name for name in used if shell.user_ns.get(name, "") is None]
        if "NoneType" not in str(problem) or not emptied:
            return ""
        return f"{emptied[0]} is None. Cells further down put models away to save memory.\n{ABOVE}"
    last = frames[-1][0]
    if not problem.name or last.f_globals is not shell.user_ns:
        return ""
    if last.f_code.co_name.startswith("<") or _made_by_one(cells, problem.name):
        return (
            f"{problem.name} is not there yet. {ABOVE}\n"
            "If that does not help, look for a typing mistake in the name."
        )
    return ""


def _cells(shell) -> list[str]:
    """The code of the notebook as it was saved; nothing where Jupyter or VS Code does not tell its file."""
    place = os.environ.get("JPY_SESSION_NAME") or shell.user_ns.get("__vsc_ipynb_file__", "")
    with suppress(OSError, ValueError, LookupError, TypeError), open(place, encoding="utf-8") as file:
        cells = [cell["source"] for cell in json.load(file)["cells"] if cell["cell_type"] == "code"]
        return ["".join(source) for source in cells]
    return []


def _made_by_one(cells: list[str], name: str) -> bool:
    """Whether a cell gives this name a value outside of functions."""
    for cell in cells:
        with suppress(KeyError, SyntaxError, ValueError):  # a cell without this name, or with a magic
            found = symtable(cell, "", "exec").lookup(name)
            if found.is_assigned() or found.is_imported():
                return True
    return False
