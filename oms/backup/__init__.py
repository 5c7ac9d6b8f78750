"""Backup and restore of a whole installation: `manage.py backup FILE` and `manage.py restore FILE` (docs/adr/0008)."""
