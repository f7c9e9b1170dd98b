#!/bin/bash
# Make the root of a bare Debian 12 in the folder $1, for `make test-operations`: what debootstrap
# calls minbase, and nothing else. Does nothing if it is there.
set -euo pipefail

root=$1
if [ -e "$root/etc/debian_version" ]; then exit 0; fi
if ! command -v debootstrap >/dev/null; then
    echo "debootstrap is missing: apt-get install debootstrap" >&2
    exit 1
fi
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
rm -rf "$root.new"
mkdir -p "$(dirname "$root")"
debootstrap --variant=minbase bookworm "$root.new" "$mirror"
rm -rf "$root.new/var/cache/apt/archives/"*.deb
mv "$root.new" "$root"
