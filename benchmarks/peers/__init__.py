"""linnet beside other runtimes, taking turns: ``linnet compare-peers``."""
