"""From source documents to ERP documents: pure functions, readable by an accountant.

How a sale is booked (`mapping.entries`), each line by the first rule of the mapping set that fits (`mapping.rules`):

    credit  revenue            each product and custom line, net of discounts and tax
    credit  gift certificate   each certificate sold: a liability until it is redeemed
    credit  shipping, handling, wrapping, fee   each charge, net of tax
    credit  tax                each tax title
    debit   clearing           each payment, by payment method
    debit   store credit, gift certificate      each liability redeemed
    either  rounding           what the shop's own rounding left over, under a limit

An invoice in Receivables (`mapping.receivable`) books the same without the payments, which its receivable stands for.

A refund (`mapping.refunds`) is a sale with amounts of the other sign, on the accounts of its sale; an edit books the
difference to what is posted, a cancellation its reversal (`mapping.deltas`).

A negative amount is booked on the other side; an amount of zero is not booked. The accounting date is the store-local
date of the recognition event (`mapping.dates`). Nothing here reads a clock, a file or a network.
"""
