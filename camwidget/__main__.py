"""Entry point of ``python -m camwidget``."""

from .cli import main

raise SystemExit(main())
