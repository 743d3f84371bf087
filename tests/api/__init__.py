"""Programs of other people against the interface: run with `./run test api`."""
