"""Runs nbgrader's converters without output; an error becomes a LabError with one sentence."""

import logging
import os
import sys
import warnings

from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import Exchange, ExchangeError
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from tornado.log import app_log
from traitlets.config import Config

from labsupport.errors import LabError, reason

WORDED = (NbGraderException, ExchangeError, SQLAlchemyError, OSError)  # errors whose texts need no type name


class _Heard(logging.Handler):
    """Stores nbgrader's log records, and the last exception logged while it is handled."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.last = ""
        self.problem: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()
        self.problem = sys.exception() or self.problem


def run(converter: type[BaseConverter] | type[Exchange], config: Config, sentence: str) -> None:
    """Run one of nbgrader's converters, or a step of its exchange; nothing is printed.

    Raises LabError when it fails: the sentence, a colon and the reason.
    """
    heard = _Heard()
    log = logging.Logger("nbgrader", logging.ERROR)  # a private logger: no other handler receives its records
    log.addHandler(heard)
    app_log.disabled = True  # nbgrader also prints tracebacks there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)  # caused by nbgrader's queries
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
    """The text of an error of a database, of nbgrader or of the system, in one line, without SQL and numbers.

    nbgrader enters the folder of what it writes, so a file's bare name says nothing.
    """
    if isinstance(problem, OSError) and problem.strerror:
        whole = isinstance(problem.filename, str) and os.path.isabs(problem.filename)
        return f"{problem.strerror}: {problem.filename}" if whole else problem.strerror
    return reason(getattr(problem, "orig", None) or problem, most=1000)
