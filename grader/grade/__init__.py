"""Grading: from a clean notebook to a record, for one submission and for a class."""
