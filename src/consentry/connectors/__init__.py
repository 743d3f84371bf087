"""Platforms: one file each turns an export into a corpus and a people table."""
