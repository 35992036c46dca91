"""The judges of lab 03, one file an exercise."""
