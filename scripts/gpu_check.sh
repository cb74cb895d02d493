#!/usr/bin/env bash
# Checks and measures what needs a GPU, in at most 8 minutes, the most important first.
#
#   scripts/gpu_check.sh OUT [ARCHIVE]
#
# Writes to the folder OUT: log.txt, everything printed; plain.json and compiled.json, steps of
# ResNet-18 in bf16; stages.json, three short stages plain and compiled; peer.json, dimred beside
# tsimcne; sizes.json, kNN and loss against size; with ARCHIVE, the .tar.xz of CIFAR-10's JPEG copy
# (train/CLASS/*.jpg, test/CLASS/*.jpg), fidelity.json, both on real images at equal epochs. The
# other steps still run if one fails or exceeds its limit. tsimcne is installed unless the current
# Python has it (scripts/benchmark_peer.py).
set -uo pipefail
out=${1:?usage: $0 OUT [ARCHIVE]}
archive=${2:-}
python=.venv/bin/python
[ -x "$python" ] || python=python3
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export python work out
export PYTHONPATH=.${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
failed=()
LIMIT=470 # seconds in all
. scripts/gpu_images.sh

step() { # NAME SECONDS COMMAND...
    local code=0 left=$((LIMIT - SECONDS))
    if [ $left -lt 10 ]; then
        echo "== $1: no time left"
        failed+=("$1")
        return
    fi
    echo "== $1, at $SECONDS s"
    timeout --kill-after=5 $(($2 < left ? $2 : left)) "${@:3}" 2>&1 || code=$?
    [ $code -eq 0 ] || { failed+=("$1"); echo "== $1: exit code $code"; }
}

stages() { # three short stages, plain and compiled, their losses side by side
    for compile in false true; do
        "$python" -m dimred train experiment=smoke dataset.limit=null model=resnet18 \
            schedule.batch_size=256 schedule.epochs_scale=4 device=cuda device.compile=$compile \
            run_dir="$work/$compile" || return
    done
    "$python" - "$work" "$out/stages.json" <<'PY'
import json, sys
from pathlib import Path
from safetensors.torch import load_file
work, out = map(Path, sys.argv[1:])
runs = {name: [json.loads(line) for line in (work / name / "metrics.jsonl").read_text().splitlines()] for name in ("false", "true")}
print("stage      epoch    plain  compiled   images/s plain  compiled")
for plain, compiled in zip(*runs.values(), strict=True):
    print(f"{plain['stage']:10s} {plain['epoch']:5d} {plain['loss']:8.4f} {compiled['loss']:9.4f} "
          f"{plain['images_per_s']:14,.0f} {compiled['images_per_s']:9,.0f}")
weights = [load_file(work / name / "weights.safetensors") for name in runs]
far = max(float((a - b).norm() / a.norm()) for a, b in zip(*(w.values() for w in weights), strict=True) if a.is_floating_point())
print(f"largest relative difference of a weight at the end: {far:.3f}")
out.write_text(json.dumps({"plain": runs["false"], "compiled": runs["true"], "weights": far}))
PY
}

everything() {
    step tests 60 "$python" -m pytest -q -m gpu -p no:cacheprovider tests/data tests/evaluation \
        tests/training tests/test_fusing.py
    step plain 60 "$python" scripts/benchmark.py --device cuda --only steps --precisions bf16 \
        --out "$out/plain.json"
    step compiled 110 "$python" scripts/benchmark.py --device cuda --only steps --precisions bf16 \
        --compile --out "$out/compiled.json"
    step stages 90 bash -c "$(declare -f stages); stages"
    local peer=()
    "$python" -c 'import tsimcne' 2>/dev/null && peer=(--peer-python "$(command -v "$python")")
    step peer 80 "$python" scripts/benchmark_peer.py "${peer[@]}" --images 16384 --batch 1024 \
        --pairs 3 --workers "$(nproc)" --precision bf16 --compile true --tasks train loss_2 loss_128 \
        --out "$out/peer.json"
    step sizes 60 "$python" scripts/benchmark.py --device cuda --only knn loss --out "$out/sizes.json"
    if [ -n "$archive" ]; then
        # Only one seed: there is no time for three.
        step unpack 30 bash -c '. scripts/gpu_images.sh; unpack_images "$1"' _ "$archive"
        if [ -e data/cifar10-jpeg/.unpacked ] && unpack_images "$archive"; then
            step fidelity 90 "$python" scripts/benchmark_peer.py "${peer[@]}" --tasks fidelity \
                --root "$images" --model convnet --images 3840 --batch 256 --epochs 15 --seeds 0 \
                --workers "$(nproc)" --out "$out/fidelity.json"
        else
            failed+=(fidelity)
        fi
    fi
    echo "== $SECONDS s in all; failed: ${failed[*]:-none}"
    [ ${#failed[@]} -eq 0 ]
}

everything > >(tee "$out/log.txt") 2>&1
