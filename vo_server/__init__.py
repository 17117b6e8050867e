"""vo-server publishes gamma-ray DL3 releases in the Virtual Observatory."""

__version__ = "0.1.0"
