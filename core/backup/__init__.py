"""Backups: database and documents of one moment in one encrypted file, and the way back (docs/backup.md)."""
