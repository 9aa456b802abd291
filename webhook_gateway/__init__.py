"""Public HTTP: receive a webhook, verify it, start the document's workflow durably, answer. Nothing else is public.

TLS ends at the proxy in front; the gateway speaks plain HTTP and trusts no forwarded header.
"""
