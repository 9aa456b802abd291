"""Everything between us and Temporal: client, codec, plugin, starts, schedules, and the dev server for a pilot."""
