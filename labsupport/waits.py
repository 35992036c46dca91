"""How many seconds a cell may run: at home, and when it is graded."""

AT_HOME = 600  # the Validate button, and `labsupport check`; nbgrader's own 30 are too few for a model
GRADED = 300  # unless an instructor says --timeout
TRIED = 240  # one function of `grader try`
