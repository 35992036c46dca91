"""Asks of their own, one file an exercise, for those that a plain call does not serve."""
