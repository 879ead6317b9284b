"""The demo: two invented clinics with a believable day."""
