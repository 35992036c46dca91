"""For tests: a Dask worker started with this falls dead over the submission of a student called doom."""

import os
import signal


def dask_setup(_worker) -> None:
    from grader import worker

    grade = worker.grade

    def grade_or_die(task):
        if task.submission.student == "doom":
            os.kill(os.getpid(), signal.SIGKILL)
        return grade(task)

    worker.grade = grade_or_die
