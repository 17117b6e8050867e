"""Delivers products from where they lie: whole files and single HDUs, with ranges and validators."""
