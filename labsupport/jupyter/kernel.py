"""Runs at the start of every kernel of start.py's JupyterLab, and leaves no name behind.

A name that is missing (after a restart, say) and an interrupt get one sentence in place of a traceback.
"""


def start() -> None:
    """Let IPython show the sentence; the cell still ends with its error, as Validate needs it."""
    from traceback import walk_tb

    from IPython import get_ipython

    def sentence(shell, problem, traceback) -> str:
        """What to show; nothing where the traceback helps more: for a name in a function's body."""
        frames = list(walk_tb(traceback))
        if isinstance(problem, KeyboardInterrupt):
            lines = [line for frame, line in frames if frame.f_globals is shell.user_ns]
            return f"Interrupted in line {lines[-1]}." if lines else "Interrupted."
        last = frames[-1][0]
        if problem.name and last.f_globals is shell.user_ns and last.f_code.co_name.startswith("<"):
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
        shell.set_custom_exc((NameError, KeyboardInterrupt), explain)


start()
del start
