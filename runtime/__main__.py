"""``python -m linnet`` is the ``linnet`` command."""

from .cli import main

raise SystemExit(main())
