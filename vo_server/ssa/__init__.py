"""Simple Spectral Access 1.1: the spectra of one collection, and each of them as a VOTable."""
