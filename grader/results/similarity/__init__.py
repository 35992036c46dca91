"""Likeness of students' functions with one another and with the course's own code.

A likeness is a reason to look, and no proof. No point depends on it.
"""
