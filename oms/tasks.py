"""Celery tasks of the platform: each fetches by id and calls one service."""
