"""Time limits of a cell in seconds: at home, and under grading."""

AT_HOME = 600  # the Validate button and `labsupport check`; nbgrader's default of 30 is too short for a model
GRADED = 300  # the default of --timeout
TRIED = 240  # one function of `grader try`
