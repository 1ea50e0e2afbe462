"""Private API of PyTorch and of Python that camwidget reads, each part with a check.

Here belongs whatever reads a name with a leading underscore of another library, or depends on how one names things
inside; ``CHECKS`` of each module says what is relied on. Code that uses public API only does not belong here, nor what
camwidget makes of it: that is in ``execution`` and ``runtime``. The widget's libraries are the widget's own matter.
"""
