"""The sync's pages."""
