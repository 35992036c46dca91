"""One submission in one sandbox: how it is made, held to its limits, and followed."""
