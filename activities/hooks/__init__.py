"""Webhooks of the shops: registered, watched, switched on again, and what they missed read by poll."""
