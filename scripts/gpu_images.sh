# Sourced by scripts that train on the JPEG copy of CIFAR-10: unpacks the archive, once.

# Sets `images` to the folder that holds train/ and test/ of the archive $1.
unpack_images() {
    local folder=data/cifar10-jpeg
    if [ ! -e "$folder/.unpacked" ]; then
        mkdir -p "$folder"
        tar -xJf "$1" -C "$folder" && touch "$folder/.unpacked" || return
    fi
    images=$(find "$folder" -maxdepth 2 -type d -name train | head -n 1)
    images=${images%/train}
    if [ -z "$images" ]; then
        echo "$1: holds no folder train/" >&2
        return 2
    fi
}
