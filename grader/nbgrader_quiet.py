"""nbgrader's converters, run quietly: what goes wrong in one becomes one sentence."""

import logging
import sys
import warnings

from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from tornado.log import app_log
from traitlets.config import Config

from labsupport.errors import LabError, reason

WORDED = (NbGraderException, SQLAlchemyError, OSError)  # their texts need no name of a type beside them


class _Heard(logging.Handler):
    """What nbgrader logs, and the last exception that it logs while it handles it."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.last = ""
        self.problem: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
        self.problem = sys.exception() or self.problem


def run(converter: type[BaseConverter], config: Config, sentence: str) -> None:
    """Run one of nbgrader's converters; nothing is printed.

    Raises LabError when it fails: the sentence, a colon and the reason.
    """
    heard = _Heard()
    log = logging.Logger("nbgrader", logging.ERROR)  # one of its own: no other handler gets its records
    log.addHandler(heard)
    app_log.disabled = True  # nbgrader prints tracebacks there of what it raises too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # nbgrader's own queries cause them
            converter(coursedir=CourseDirectory(config=config, log=log), config=config, log=log).start()
    except WORDED as problem:
        cause = heard.problem or problem
        name = "" if isinstance(cause, WORDED) else f"{type(cause).__name__}: "
        raise LabError(f"{sentence}: {name}{one_line(cause)}.") from cause
    except SystemExit as problem:
        raise LabError(f"{sentence}: {heard.last or problem}.") from problem
    finally:
        app_log.disabled = False


def one_line(problem: BaseException) -> str:
    """An error as a database or nbgrader words it, in one line and without the SQL."""
    return reason(getattr(problem, "orig", None) or problem, most=1000)
