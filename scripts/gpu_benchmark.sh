#!/usr/bin/env bash
# All of docs/performance.md that wants a GPU, into a folder.
#
#   scripts/gpu_benchmark.sh OUT [ARCHIVE]
#
# Steps in float32 and bf16, plain, compiled and as CUDA graphs (an epoch of 60,000 images takes
# 60,000 / images_per_s); loss and kNN against size; dimred beside tsimcne. With ARCHIVE, the
# .tar.xz of CIFAR-10's JPEG copy, also three seeds of a short run in bf16 and in float32.
set -euo pipefail
out=${1:?usage: $0 OUT [ARCHIVE]}
python=.venv/bin/python
[ -x "$python" ] || python=python3
mkdir -p "$out"
export PYTHONPATH=.
"$python" -m pytest -q tests -m gpu -p no:cacheprovider 2>&1 | tee "$out/tests.txt"
"$python" scripts/benchmark.py --device cuda --out "$out/plain.json" --figure "$out/scaling.png" \
    | tee "$out/plain.txt"
for switch in --compile --cuda-graphs; do
    "$python" scripts/benchmark.py --device cuda --only steps $switch --out "$out/steps$switch.json" \
        | tee "$out/steps$switch.txt"
done
for precision in float32 bf16; do
    "$python" scripts/benchmark_peer.py --images 16384 --batch 1024 --pairs 5 --workers 8 \
        --precision $precision --out "$out/peer-$precision.json" | tee "$out/peer-$precision.txt"
done
[ $# -lt 2 ] && exit
for precision in float32 bf16; do
    for seed in 0 1 2; do
        scripts/gpu_cifar10_jpeg.sh "$2" single_2d schedule.stages.train.epochs=20 \
            device.precision=$precision seed=$seed name=cifar10-jpeg-short output_dir="$out/runs" \
            eval.linear=none eval.references=false | tee "$out/run-$precision-$seed.txt"
    done
done
