#!/usr/bin/env bash
# Measures the main job on a GPU: the JPEG copy of CIFAR-10, ResNet-18, batch 1,024, bf16.
#
#   scripts/gpu_cifar10_jpeg.sh ARCHIVE [SCHEDULE] [KEY=VALUE ...]
#
# ARCHIVE is the .tar.xz of the images (train/CLASS/*.jpg, test/CLASS/*.jpg); SCHEDULE defaults to
# annealed_500, the paper's Table 1 row 9 (kNN 85.7 %, linear 87.9 % on the original CIFAR-10).
# The run folder under outputs/ says images/s, accuracies, GPU and versions. Typed again, it goes on.
set -euo pipefail
archive=${1:?usage: $0 ARCHIVE [SCHEDULE] [KEY=VALUE ...]}
schedule=${2:-annealed_500}
folder=data/cifar10-jpeg
if [ ! -e "$folder/.unpacked" ]; then
    mkdir -p "$folder"
    tar -xJf "$archive" -C "$folder"
    touch "$folder/.unpacked"
fi
train=$(find "$folder" -type d -name train | head -n 1)
if [ -z "$train" ]; then
    echo "$0: $archive holds no folder train/" >&2
    exit 2
fi
python=.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" -m dimred train dataset=image_folder dataset.root="$(dirname "$train")" dataset.image_size=32 \
    model=resnet18 loss=tsimcne schedule="$schedule" device=cuda eval.every=25 eval.linear=sgd \
    name="cifar10-jpeg-$schedule" "${@:3}"
