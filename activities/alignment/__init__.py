"""Comparing a shop and a pod with the books and rules between them."""
