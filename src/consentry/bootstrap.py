"""The composition root: opens a deployment from its settings. The only importer of adapters."""
