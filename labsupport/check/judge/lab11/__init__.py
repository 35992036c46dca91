"""The judges of lab 11, one file an exercise."""
