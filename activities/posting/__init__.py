"""Posting: the one discipline by which a document is created in the ERP by one call, for any resource."""
