"""Work that is done on Spark: run with `./run test spark`."""
