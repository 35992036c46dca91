"""The lightning bolt and `nbgrader autograde`: where nothing can be entered, one sentence and no traceback.

nbgrader has no setting for the class of its Autograde. `install` puts ours in its place where a person types
or clicks; `grade` runs nbgrader's own.
"""

from typing import Any

from nbgrader.apps import api, autogradeapp
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.utils import capture_log

from grader.results import gradebook


class Adopting(Autograde):
    """Enters what `grade` found; who has nothing to be entered keeps what was entered before, and is named.

    explained: whether the log says all that there is to say of a failure.
    """

    def __init__(self, *positional: Any, **named: Any) -> None:
        super().__init__(*positional, **named)
        self.refused: list[str] = []
        self.explained = False

    def start(self) -> None:
        """Run it. Raises NbGraderException, whose text was logged before."""
        try:
            super().start()
        except NbGraderException:
            self.explained = True
            raise

    def init_destination(self, assignment_id: str, student_id: str) -> bool:
        """Whether a student's verdicts are to be entered; asked before anything of before is removed."""
        settings: Any = self.coursedir
        excluded = settings.student_id_exclude.split(",")
        if student_id not in excluded and (sentence := gradebook.missing(assignment_id, student_id)):
            self.refused.append(sentence)
            return False
        return super().init_destination(assignment_id, student_id)

    def convert_notebooks(self) -> None:
        """Enter all that can be entered, then say what cannot. Raises NbGraderException if there is any."""
        try:
            super().convert_notebooks()
        finally:
            for sentence in self.refused:
                self.log.error(sentence)
        if self.refused:
            raise NbGraderException(" ".join(self.refused))


def captured(app: Any) -> dict[str, Any]:
    """What formgrader's window shows of a step: its log, and no traceback where the log says all."""
    shown = capture_log(app)
    if getattr(app, "explained", False):
        shown.pop("error", None)
    return shown


def install() -> None:
    """Let nbgrader's command and formgrader's button use `Adopting`."""
    places: tuple[Any, ...] = (api, autogradeapp)
    for module in places:
        module.Autograde = Adopting
    places[0].capture_log = captured
