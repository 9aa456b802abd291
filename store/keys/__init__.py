"""Keys, and what they seal at rest."""
