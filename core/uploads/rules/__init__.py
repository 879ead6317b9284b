"""What a file must be to be let in. Needs nothing of Django: it runs in a process of its own (core.uploads.inspection)."""
