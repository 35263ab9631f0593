"""The `.linnet` model file, as FORMAT.md specifies it: `encode`, `write` and `read` a graph."""

from .layout import MAGIC as MAGIC
from .layout import REVISION as REVISION
from .reader import read as read
from .writer import encode as encode
from .writer import write as write
