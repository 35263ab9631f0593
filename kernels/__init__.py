"""Arithmetic kernels; knows no graph and no file format."""
