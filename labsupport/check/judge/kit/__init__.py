"""The machinery of all judges."""
