"""Simulated vendor systems ("twins") that speak HTTP like the originals and can be told to misbehave.

The demo, the tests and a customer's dress rehearsal run against them. A twin shares no code with the rest of the
project: a twin that reused the client's understanding of a vendor would repeat the client's mistakes.

    python -m sandbox fusion --port 8801
"""
