"""Refunds: fetched with their order, held until that is in the ledger, and mapped to what they take back."""
