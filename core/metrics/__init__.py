"""Figures for those who watch over HMS: what requests, caches, queues and processes do, and nothing of anybody."""
