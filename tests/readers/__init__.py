"""Readers of Iceberg by other people, held to the same rows."""
