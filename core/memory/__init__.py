"""How much memory a process may use, what it does when that runs out, and what it tells of who uses it."""
