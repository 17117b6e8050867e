"""Simple Cone Search 1.03: the datasets of one collection about a position."""
