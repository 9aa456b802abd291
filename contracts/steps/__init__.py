"""Inputs and outputs of activities: one model in, one model out, so fields can be added compatibly."""
