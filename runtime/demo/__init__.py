"""A morning in two shops on this machine: twins, Temporal, worker and gateway, faults, and a reconciliation."""
