"""linnet: an edge inference runtime."""

from .errors import LinnetError
