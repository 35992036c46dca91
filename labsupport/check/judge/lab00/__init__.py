"""The judges of lab 00, one file an exercise."""
