"""The judges of lab 06, one file an exercise."""
