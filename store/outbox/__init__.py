"""The journal outbox: postings, groups and fates."""
