"""The figures of the README, measured on this machine against the twins: `make bench`."""
