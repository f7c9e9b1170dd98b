#!/bin/sh
# Runs on the builder's host: writes a disk with Debian to the file that Remuda asks for.
set -eu
mkosi --distribution debian --release "$1" --format disk --output disk.raw --force build
qemu-img convert -f raw -O qcow2 disk.raw "$REMUDA_OUTPUT"
