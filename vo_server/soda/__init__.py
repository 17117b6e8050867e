"""Cutouts of event lists: SODA 1.0, synchronous and as jobs."""
