"""Deterministic orchestration: one file per flow, each reads like the business process it carries."""
