"""Which labs a test runs on the course model."""

import pytest

from grader import course

BY_DEFAULT = ("03_wanda_calibration",)  # on the course model; the others: `make labs`
ON_COURSE_MODEL = [
    pytest.param(lab, marks=() if lab in BY_DEFAULT else pytest.mark.slow) for lab in course.labs()
]
