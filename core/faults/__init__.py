"""Errors of the code, grouped: what fails, where, how often, since when and whom it meets, and nothing of anybody."""
