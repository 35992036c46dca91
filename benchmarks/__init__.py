"""What the course's own code gains over the usual way, as ratios: `python -m benchmarks`."""
