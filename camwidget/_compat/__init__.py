"""Private API of PyTorch and of Python that camwidget reads, each part with a check.

Code that reads an underscore name or an undocumented attribute of another library belongs here; ``CHECKS`` of each
module lists the assumptions. Code that uses public API only belongs in ``execution`` and ``runtime``. Private API of
the widget's libraries belongs in ``widget._compat``.
"""
