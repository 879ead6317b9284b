"""What changed in a clinic, sent every night to a system that its administrator names (docs/data-sync.md)."""
