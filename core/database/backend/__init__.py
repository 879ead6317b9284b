"""The database engine of HMS (`ENGINE` in settings): Django's for PostgreSQL, behind a breaker and with a deadline."""
