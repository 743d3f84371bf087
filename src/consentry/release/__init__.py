"""What went in: decided, sealed, readable, checkable."""
