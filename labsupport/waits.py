"""Time limits of a cell in seconds: at home, and under grading."""

AT_HOME = 600  # the Validate button and `labsupport check`; nbgrader's default of 30 is too short for a model
GRADED = 300  # the default of --timeout
TRIED = 240  # one function of `grader try`
IOPUB = 60  # for the last output of a cell to arrive; nbclient's default of 4 is too short on a busy machine
