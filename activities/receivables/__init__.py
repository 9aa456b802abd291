"""Receivables: invoices as a resource that is posted, and the step that creates them."""
