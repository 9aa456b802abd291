"""What `ml-connector recover` reads back: journals, invoices, imports, people's decisions, reviews."""
