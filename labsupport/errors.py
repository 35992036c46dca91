"""The one error that a person reads, and any other error's reason in one line."""


class LabError(Exception):
    """Something a person can mend: shown as one sentence, never as a traceback."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a notebook instead of a traceback."""
        return [str(self)]


def reason(problem: object, most: int = 200) -> str:
    """The first line of an error's text, or the error's type where it has no text; no full stop at the end."""
    line = str(problem).strip().partition("\n")[0][:most].rstrip(".")
    return line or type(problem).__name__
