"""One clinic out of an installation and into another: everything that is its own, in one encrypted file (docs/moving.md)."""
