"""Bundles: observations with their files and index tables in one download that gammapy opens as it is."""
