"""What people run: the command line, reports, suites and benchmarks."""
