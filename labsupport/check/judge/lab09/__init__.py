"""The judges of lab 09, one file an exercise."""
