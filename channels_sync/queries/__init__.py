"""Reads of the sync."""
