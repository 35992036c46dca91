"""Intake: from a download to a clean notebook. Identifies student, notebook file and graded cells."""
