"""Solvers: the gaussian path, its working set in Gram and residual form, the ridge spectrum."""
