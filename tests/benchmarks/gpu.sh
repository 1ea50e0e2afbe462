#!/bin/sh
# All that README.md and docs/pages/speed.md say of a GPU: figures and the card's name, in one run of a few minutes.
# Run it in the root of the project, where the test extra is installed. Peers that are not installed are left out.
set -u
export CAMWIDGET_BENCHMARK_DEVICE="${CAMWIDGET_BENCHMARK_DEVICE:-cuda}"
python3 - <<'PYTHON'
import torch

name = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}")
PYTHON
for part in hot_path many_passes fixed_shape metrics; do
  python3 -m pytest -o addopts= -q --benchmark-only --benchmark-disable-gc --no-header \
    -k "not quantus and not five_together and not road and not further_classes" "tests/benchmarks/test_$part.py" |
    grep -v -e '^-' -e '^$' -e 'Legend' -e 'OPS:' -e 'Outliers:' -e '^test_' -e '^Name' -e '^benchmark'
done
