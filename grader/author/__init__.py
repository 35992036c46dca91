"""What instructors make and students get: sources, notebooks, reference functions, releases."""
