"""Benchmarks of regpath, one module per question: paths, kernels, start-up, growth."""

import os

# Before NumPy is imported: threads of a BLAS wait actively for each other, and with more than one
# the figures would depend on whatever else the machine is doing.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
