"""The ask of kv_group_importance, which is that of channel_importance."""

from labsupport.check.ask.own.channel_importance import ask

__all__ = ["ask"]
