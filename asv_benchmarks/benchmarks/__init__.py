"""Benchmarks of regpath, one module per question: paths, kernels, start-up."""
