"""Writes of replenishments: plan, submit, receive, end."""
