"""The labs, for tests that run them on the course model: `make labs` and .ci/run."""

import pytest

from grader import course

# Workers side by side run different labs; all tests of one lab are in one worker, so that it is run once.
ON_COURSE_MODEL = [
    pytest.param(lab, marks=[pytest.mark.slow, pytest.mark.xdist_group(lab)]) for lab in course.labs()
]
