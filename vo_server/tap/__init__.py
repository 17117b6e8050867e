"""The Table Access Protocol, TAP 1.1."""
