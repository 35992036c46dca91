"""Tasks in the format of lm-evaluation-harness, made from the course's own text."""
