"""Private HTTP: the operator's pages, and the endpoint where the Temporal UI and CLI have payloads decoded.

Everything here wants a person who has signed in. It listens on this machine alone unless the configuration says
otherwise; TLS ends at the proxy in front.
"""
