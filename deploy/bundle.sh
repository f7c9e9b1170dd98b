#!/bin/bash
# Pack a release for hosts that reach no package index: bundle.sh NAME FILE
#
# FILE (.tgz) then holds NAME/wheels, with Remuda and everything it needs in the locked versions,
# and NAME/deploy. Each download is compared with its hash, here, once. Needs python3-venv, of the
# Debian release that the hosts have.
set -euo pipefail
name=${1:?bundle.sh NAME FILE}
file=$(realpath -m "${2:?bundle.sh NAME FILE}")
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheels="$work/$name/wheels"
mkdir -p "$wheels"
python3 -m venv "$work/venv"
pip() { "$work/venv/bin/pip" "$@" --quiet --disable-pip-version-check --no-build-isolation; }

# What builds wheels comes from the lock as well.
grep -A 9999 '^setuptools==' requirements.lock | awk 'NR > 1 && /^[a-zA-Z]/ { exit } 1' \
    >"$work/setuptools.lock"
pip install --require-hashes -r "$work/setuptools.lock"
pip wheel --require-hashes --no-deps -r requirements.lock -w "$wheels"
# Built from a copy: the source may be read-only, and stays clean.
mkdir "$work/source"
cp -r LICENSE README.md pyproject.toml remuda launcher builder requestor sandbox "$work/source/"
pip wheel --no-deps -w "$wheels" "$work/source"
cp -r deploy "$work/$name/"
tar -C "$work" -czf "$file" "$name"
