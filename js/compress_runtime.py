"""Write ``camwidget/static/runtime.wasm.xz``: the runtime of live pages, compressed as small as possible for the wheel.

Compressors differ by version: the file is kept where it decompresses to the same bytes.
"""

from __future__ import annotations

import lzma
from pathlib import Path

JS = Path(__file__).parent
RUNTIME = JS / "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"
COMPRESSED = JS.parent / "camwidget/static/runtime.wasm.xz"


def main() -> None:
    """Compress the runtime unless the file holds it already."""
    runtime = RUNTIME.read_bytes()
    if not COMPRESSED.exists() or lzma.decompress(COMPRESSED.read_bytes()) != runtime:
        COMPRESSED.write_bytes(lzma.compress(runtime, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
