"""Access: how steps reach a vendor, together with all other steps and processes."""
