"""prune_magnitude is asked as every function that prunes a whole model."""

from labsupport.check.ask.pruned import ask

__all__ = ["ask"]
