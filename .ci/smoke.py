"""What an installed camwidget must be able to do with nothing but its declared dependencies.

Run as ``python -I smoke.py`` from an empty directory, so that nothing but what is installed is found.
"""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import camwidget as cw

assert cw.__version__ == metadata.version("camwidget")
assert Path(cw.__file__).is_relative_to(sys.prefix), f"{cw.__file__} is not the installed one"

# Every module can be imported: nothing but an extra's own module needs an extra.
for module in pkgutil.walk_packages(cw.__path__, "camwidget."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert all(hasattr(cw, name) for name in cw.__all__)

for name in cw.list_models():
    cw.zoo.build(name)
picture = cw.zoo.textures.draw(0).pil()
explanation = cw.explain(cw.load(), picture, method=["gradcam", "lrp"])[0]
assert explanation.saliency.shape == (192, 192) and not explanation.is_empty
print(explanation.title)
for written in explanation.save("result"):
    assert written.stat().st_size, f"{written} is empty"

explorer = cw.Explorer(fraction=0.25).wait(60)
assert explorer.explanation is not None and explorer.curve is not None
explorer.close()

commands = [
    e for e in metadata.distribution("camwidget").entry_points if e.group == "console_scripts"
]
for command in commands:
    subprocess.run(
        [Path(sys.executable).parent / command.name, "--help"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
print(f"camwidget {cw.__version__} works: {len(cw.list_models())} models, {len(commands)} commands")
