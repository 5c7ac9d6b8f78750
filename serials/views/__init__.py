"""Inventory → Serials: the grid, what is done with its rows, a unit's page."""
