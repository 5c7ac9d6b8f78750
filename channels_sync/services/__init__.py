"""Writes of the sync: connections, messages out, messages in."""
