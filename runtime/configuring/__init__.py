"""Reading `connector.toml`: positions, mistakes explained with file and line, and what must agree."""
