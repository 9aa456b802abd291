"""Side effects, one file per step. Every activity may run any number of times and does its work once."""
