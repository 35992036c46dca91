"""The judges of lab 02, one file an exercise."""
