"""Serialized units: their life, their history, and the one writer of both."""
