"""Orders: found, fetched, looked up and mapped."""
