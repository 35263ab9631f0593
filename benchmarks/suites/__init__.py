"""pytest-benchmark suites, and what ``linnet bench --suite`` runs."""
