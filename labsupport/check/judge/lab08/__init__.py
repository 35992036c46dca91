"""The judges of lab 08, one file an exercise."""
