"""Account tables of every kind that the wall knows, made by migrations like the real ones; installed in tests only."""
