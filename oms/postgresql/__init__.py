"""Django's PostgreSQL engine with the one feature switched off that composite primary keys in the database break."""
