"""DataLink 1.1: from the identifier of a dataset to everything that goes with it."""
