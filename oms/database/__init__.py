"""What Lotline knows of PostgreSQL itself, below everything else.

faults   tells what a database error means, by its SQLSTATE
"""
