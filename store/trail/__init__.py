"""The audit trail, its seals and their verification."""
