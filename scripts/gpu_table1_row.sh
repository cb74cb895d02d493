#!/usr/bin/env bash
# Trains a row of the t-SimCNE paper's Table 1 on the JPEG copy of CIFAR-10, on a GPU, in pieces.
#
#   scripts/gpu_table1_row.sh OUT ARCHIVE ROW [KEY=VALUE ...]
#
# ARCHIVE is the .tar.xz of the images (train/CLASS/*.jpg, test/CLASS/*.jpg), ROW a row of Table 1,
# such as 9. A piece ends within 9 minutes (PIECE=SECONDS sets another limit); the same command on the
# same machine continues. Exit code 75 means that the row is not finished. The results go to OUT, in
# files under 16 MB: run.tar.gz (summary, metrics, maps, ...), embedding.npz, and
# weights.safetensors in parts (to be joined by cat weights.safetensors.*).
set -uo pipefail
out=${1:?usage: $0 OUT ARCHIVE ROW [KEY=VALUE ...]}
archive=${2:?usage: $0 OUT ARCHIVE ROW [KEY=VALUE ...]}
row=${3:?usage: $0 OUT ARCHIVE ROW [KEY=VALUE ...]}
run=outputs/table1_row$row-cifar10-jpeg
python=.venv/bin/python
[ -x "$python" ] || python=python3
mkdir -p "$out"
. scripts/gpu_images.sh
unpack_images "$archive" || exit
timeout --signal=INT --kill-after=60 "${PIECE:-450}" \
    "$python" -m dimred train "experiment=table1_row$row" dataset=image_folder \
    dataset.root="$images" dataset.image_size=32 device=cuda run_dir="$run" "${@:4}"
code=$?
files=(config.yaml environment.json metrics.jsonl)
if [ -e "$run/summary.json" ]; then
    files+=(summary.json plots stages/readout.npz stages/finetune.npz)
    cp "$run/embedding.npz" "$out/"
    split --bytes=15M "$run/weights.safetensors" "$out/weights.safetensors."
fi
kept=()
for file in "${files[@]}"; do
    [ -e "$run/$file" ] && kept+=("$file")
done
tar -czf "$out/run.tar.gz" -C "$run" "${kept[@]}"
[ $code -ne 0 ] && [ ! -e "$run/summary.json" ] && [ $SECONDS -ge "${PIECE:-450}" ] && exit 75
exit $code
