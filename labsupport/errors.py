"""The error for problems that a user can solve, and the one-line reason of any other error."""


class LabError(Exception):
    """A problem that a user can solve; shown as one sentence, never as a traceback."""

    def _render_traceback_(self) -> list[str]:
        """The lines that IPython shows in a notebook instead of a traceback."""
        return [str(self)]


def reason(problem: object, most: int = 200) -> str:
    """The first line of an error's text, without a full stop; its type if there is no text.

    Some texts are no sentence: of a key that is missing, its name alone; of a field, a line of its own.
    """
    text = str(problem).strip()
    if isinstance(problem, KeyError):
        text = f"there is no {text}"
    line, _, more = text.partition("\n")
    if line.endswith(":"):
        line += f" {more.strip().partition(chr(10))[0]}"
    line = line[:most].rstrip(".")
    return line or type(problem).__name__
