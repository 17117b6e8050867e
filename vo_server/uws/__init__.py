"""Asynchronous jobs: the Universal Worker Service pattern, UWS 1.1."""
