"""The judges of lab 12, one file an exercise."""
