"""Reads of units, their history and what stands on their labels."""
