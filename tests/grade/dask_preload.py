"""For tests: a Dask worker started with this falls dead over the submission of a student called doom."""

import os
import signal


def dask_setup(_worker) -> None:
    from grader.grade import dask_worker

    grade = dask_worker.grade

    def grade_or_die(task):
        if task.submission.student == "doom":
            os.kill(os.getpid(), signal.SIGKILL)
        return grade(task)

    dask_worker.grade = grade_or_die
