"""The public Stack Exchange data dump."""
