"""Adapters: one file each, found by `channels_sync.registry`."""
