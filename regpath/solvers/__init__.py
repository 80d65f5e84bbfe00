"""Solvers: the gaussian path, its working set in Gram and in residual form, and the ridge spectrum."""
