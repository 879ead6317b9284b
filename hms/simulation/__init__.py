"""A clinic's day and its load, played against a running HMS by those who would live it."""
