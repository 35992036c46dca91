"""From a download to a clean notebook: whose it is, what it holds, and where each cell belongs."""
