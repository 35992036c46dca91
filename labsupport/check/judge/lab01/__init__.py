"""The judges of lab 01, one file an exercise."""
