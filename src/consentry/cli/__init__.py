"""The command line: one file per noun. Commands call the control plane and show what it returns."""
