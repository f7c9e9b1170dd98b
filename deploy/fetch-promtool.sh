#!/bin/bash
# Put promtool, the checker of Prometheus rules, into the folder $1, out of Debian's own package. The
# package is not installed: it would start a server that listens on all addresses at the next boot.
#
# Where there is no apt-get nothing happens, and the tests that need it are skipped, and say so.
set -euo pipefail

into=$1
if [ -x "$into/promtool" ] || command -v promtool >/dev/null; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    echo "there is no apt-get here: the tests of alerts need promtool from elsewhere" >&2
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
if ! apt-get -q -o Acquire::Retries=3 download prometheus >&2; then
    echo "the package prometheus cannot be fetched: tests of alerts are skipped" >&2
    exit 0
fi
dpkg -x prometheus_*.deb .
cp usr/bin/promtool "$OLDPWD/$into/promtool.new"
mv "$OLDPWD/$into/promtool.new" "$OLDPWD/$into/promtool"
