"""May this item be used? Pure: standard library only."""
