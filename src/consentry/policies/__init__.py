"""Ready-made policy sets, one file each: examples to read, to test against and to begin from."""
