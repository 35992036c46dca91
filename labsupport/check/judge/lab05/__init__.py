"""The judges of lab 05, one file an exercise."""
