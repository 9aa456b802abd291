"""Oracle Receivables in a pod: invoices and credit memos that are created one by one (Oracle Fusion: 3, 2.13, 8).

setup       what a business unit bills with: sources, types, terms, customers, tax rates, habits
document    what was sent, read attribute by attribute
rules       what a pod checks before it takes an invoice
taxes       manual tax lines, and what a tax engine makes of them
accounting  distributions: given ones are checked, missing ones come from AutoAccounting
invoice     the invoice itself, and what tests may see of it
subledger   creates, changes and deletes; numbers, visibility, accounting
changes     what may be changed later, and what may not
tables      the REST resource and its children

credit_memo_document   a credit memo under its own names
credit_memos           memos on account: creates them, and the REST resource with its children
applications           what of a memo is applied to which invoice, and the balances that leaves
credit_memo_service    the SOAP service that applies
activities             the REST resource that shows applications

control     the twin's own routes: the truth, customers, sources, habits
demo        what the demo's two business units are set up with
"""
