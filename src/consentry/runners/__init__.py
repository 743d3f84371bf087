"""Where the kernel runs: interchangeable siblings."""
