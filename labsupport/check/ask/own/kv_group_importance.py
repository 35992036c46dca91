"""kv_group_importance is asked as channel_importance is."""

from labsupport.check.ask.own.channel_importance import ask

__all__ = ["ask"]
