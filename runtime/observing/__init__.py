"""Logs, their context and redaction, and metrics."""
