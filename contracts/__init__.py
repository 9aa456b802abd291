"""Models and names that every room shares. Imports pydantic and the standard library only."""
