"""Wires the rooms together: configuration, Temporal, worker, embedded server and command line."""
