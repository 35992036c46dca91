"""The error for problems that a user can solve, and the one-line reason of any other error."""


class LabError(Exception):
    """A problem that a user can solve; shown as one sentence, never as a traceback."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in a notebook instead of a traceback."""
        return [str(self)]


def reason(problem: object, most: int = 200) -> str:
    """The first line of an error's text, without a full stop; its type if there is no text."""
    line = str(problem).strip().partition("\n")[0][:most].rstrip(".")
    return line or type(problem).__name__
