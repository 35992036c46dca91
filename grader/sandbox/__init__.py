"""Runs one submission in one sandbox: creation, limits, and supervision."""
