"""Journals: staged, sealed into groups, imported once, and followed until they are posted."""
