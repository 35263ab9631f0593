"""The machine under a benchmark: what it is, how fast it can be, what disturbs it."""
