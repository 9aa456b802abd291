"""The commands of `ml-connector`, one module each. A module has `register(app)`, called by `runtime.cli`."""
