"""Records that two systems have, brought to agree."""
