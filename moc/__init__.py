"""Multi-order coverage maps (MOC 2.0) of sky and time as values: no database, no files."""
