"""The judges of lab 04, one file an exercise."""
