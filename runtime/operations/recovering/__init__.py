"""What `ml-connector recover` does, step by step: journals, invoices, imports, people's decisions, second looks."""
