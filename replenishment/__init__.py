"""Goods expected from suppliers: planning, submitting, receiving."""
