"""Consentry decides, item by item, whose content may train which model, and proves it."""

__version__ = "0.1.0"
