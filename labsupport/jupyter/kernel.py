"""Runs at the start of every kernel of start.py's JupyterLab, and leaves no name behind.

A name that is missing (after a restart, say), a model that a later cell has put away to save memory,
and an interrupt get one sentence in place of a traceback.
"""


def start() -> None:
    """Let IPython show the sentence; the cell still ends with its error, as Validate needs it."""
    from traceback import walk_tb

    from IPython import get_ipython

    def made_by_a_cell(name: str) -> bool:
        """Whether a cell of this notebook, as it was saved, gives this name a value outside of functions."""
        import json
        import os
        from contextlib import suppress
        from symtable import symtable

        try:
            with open(os.environ["JPY_SESSION_NAME"], encoding="utf-8") as file:
                cells = [cell for cell in json.load(file)["cells"] if cell["cell_type"] == "code"]
        except (KeyError, OSError, ValueError):
            return False
        for cell in cells:
            with suppress(KeyError, SyntaxError):  # a cell without this name, or with a magic
                found = symtable("".join(cell["source"]), "", "exec").lookup(name)
                if found.is_assigned() or found.is_imported():
                    return True
        return False

    put_away = ("model", "dense")  # any other None is a missing return, more likely

    def sentence(shell, problem, traceback) -> str:
        """What to show; nothing where the traceback helps more: for a slip in a function's body."""
        frames = list(walk_tb(traceback))
        if isinstance(problem, KeyboardInterrupt):
            lines = [line for frame, line in frames if frame.f_globals is shell.user_ns]
            return f"Interrupted in line {lines[-1]}." if lines else "Interrupted."
        last = frames[-1][0]
        if not isinstance(problem, NameError):
            cells = [frame.f_code for frame, _ in frames if frame.f_globals is shell.user_ns]
            used = [name for code in cells for name in code.co_names if name in put_away]
            emptied = [name for name in used if shell.user_ns.get(name, "") is None]
            if "NoneType" not in str(problem) or not emptied:
                return ""
            return (
                f"{emptied[0]} is None. Cells further down put models away to save memory.\n"
                "Choose Run, Run All Above Selected Cell."
            )
        if not problem.name or last.f_globals is not shell.user_ns:
            return ""
        if last.f_code.co_name.startswith("<") or made_by_a_cell(problem.name):
            return (
                f"{problem.name} is not there yet. Choose Run, Run All Above Selected Cell.\n"
                "If that does not help, look for a typing mistake in the name."
            )
        return ""

    def explain(shell, kind, problem, traceback, tb_offset=None) -> None:
        said = sentence(shell, problem, traceback)
        if said and not hasattr(problem, "_render_traceback_"):
            problem._render_traceback_ = lambda: [said]
        shell.showtraceback((kind, problem, traceback), tb_offset=tb_offset)

    shell = get_ipython()
    if shell:
        shell.set_custom_exc((NameError, AttributeError, TypeError, KeyboardInterrupt), explain)


start()
del start
