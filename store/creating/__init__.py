"""Documents that one call creates: intent, lease and outcome."""
