"""Oracle Receivables in a pod: invoices that are created one by one (Oracle Fusion: 3.1, 2.13 and 8).

setup       what a business unit bills with: sources, types, terms, customers, tax rates, habits
document    what was sent, read attribute by attribute
rules       what a pod checks before it takes an invoice
taxes       manual tax lines, and what a tax engine makes of them
accounting  distributions: given ones are checked, missing ones come from AutoAccounting
invoice     the invoice itself, and what tests may see of it
subledger   creates, changes and deletes; numbers, visibility, accounting
changes     what may be changed later, and what may not
tables      the REST resource and its children
control     the twin's own routes: the truth, customers, sources, habits
demo        what the demo's two business units are set up with
"""
