"""Modules shared by the judges."""
