"""The labs, for tests that run them on the course model: `make labs` and .ci/run."""

import pytest

from grader import course

ON_COURSE_MODEL = [pytest.param(lab, marks=pytest.mark.slow) for lab in course.labs()]
