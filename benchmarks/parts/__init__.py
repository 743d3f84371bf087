"""What the benchmarks share: the made-up content, the deployment under test, the rivals, the stopwatch."""
