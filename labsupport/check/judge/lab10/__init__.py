"""The judges of lab 10, one file an exercise."""
