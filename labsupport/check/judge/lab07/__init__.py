"""The judges of lab 07, one file an exercise."""
