#!/bin/bash
# Install what Remuda needs from the system and is not there yet; does nothing if all is there.
#
# Debian 12 or newer, as root or with sudo. Services of the packages are not started: the tests
# and the demo start servers of their own, on free ports of the loopback.
set -euo pipefail

missing=()
need() { # need PACKAGE TEST...: add PACKAGE unless TEST succeeds
    local package=$1
    shift
    if ! "$@" >/dev/null 2>&1; then missing+=("$package"); fi
}

has_command() { command -v "$1" || [ -x "/usr/sbin/$1" ]; }
has_python() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; }
has_busybox() { busybox sh -c 'busybox --list' | grep -x find; }
has_venv() { python3 -c 'import ensurepip, venv'; }

need python3 has_python
need python3-venv has_venv
need default-jre-headless has_command java
# Only the jars: the package zookeeper would add a graphical Java and a system user.
need libzookeeper-java test -e /usr/share/java/zookeeper.jar
need openssh-server has_command sshd
need openssh-client has_command ssh-keygen
# One of the tools by which a check of the network may run; its test is skipped without it.
need netcat-openbsd has_command nc
# The program that makes a build machine quiet is tried with every shell that it may meet.
need busybox-static has_busybox
need shellcheck has_command shellcheck

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
echo "missing packages: ${missing[*]}"

if ! command -v apt-get >/dev/null; then
    echo "there is no apt-get here: install the above with your system's own tool" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "neither root nor sudo: ask an administrator for" >&2
        echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

# A package's installation asks policy-rc.d whether it may start its service; 101 means no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}
apt update
apt install --no-install-recommends "${missing[@]}"
if ! has_python; then
    echo "Python 3.11 or newer is needed; this system's is $(python3 --version)" >&2
    exit 1
fi
