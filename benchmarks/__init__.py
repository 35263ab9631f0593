"""Benchmarks: the harness behind `linnet bench` and the pytest-benchmark suites."""
