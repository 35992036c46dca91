"""Authoring: sources of labs, student notebooks, reference functions, releases."""
