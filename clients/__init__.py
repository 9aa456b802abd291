"""Vendor APIs over one shared HTTP core: one package per vendor. They know the wire and nothing of our flows."""
