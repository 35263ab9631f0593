"""The measurement behind ``linnet bench``: processes, samples, intervals, the document."""
