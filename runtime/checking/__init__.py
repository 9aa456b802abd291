"""Proving a configuration: against itself, against Fusion, against the shops, before anything is posted."""
