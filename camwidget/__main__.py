"""``python -m camwidget``: the command."""

from .cli import main

raise SystemExit(main())
