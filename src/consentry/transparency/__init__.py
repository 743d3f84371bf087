"""Can an outsider check it? Signed documents, and the receipts that people keep."""
