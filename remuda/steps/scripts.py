"""The shell texts of steps that are no script of the user's: packages, and files in their place.

POSIX sh, dash and busybox run them.
"""

from typing import Final

#: Installs the packages that are its arguments. Names were checked when the configuration was
#: read: none begins with a dash. Caches are left, for they are what an image is for.
PACKAGES: Final = """\
#!/bin/sh
set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH
has() { command -v "$1" >/dev/null 2>&1; }
if has apt-get; then
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    export DEBIAN_FRONTEND NEEDRESTART_SUSPEND
    wait='-o DPkg::Lock::Timeout=300'
    # shellcheck disable=SC2086 # words
    apt-get -q $wait update || exit
    # shellcheck disable=SC2086 # words
    exec apt-get -q -y $wait -o Dpkg::Options::=--force-confdef \\
        -o Dpkg::Options::=--force-confold install "$@"
elif has dnf; then
    exec dnf -y install "$@"
elif has yum; then
    exec yum -y install "$@"
elif has zypper; then
    zypper --non-interactive install "$@"
    code=$?
    # Installed; the machine, or zypper itself, wants to be started anew.
    case $code in 102 | 103) code=0 ;; esac
    exit $code
elif has apk; then
    apk update || exit
    exec apk add "$@"
fi
echo 'the machine has none of apt-get, dnf, yum, zypper and apk'
exit 1
"""

#: Moves what was copied to where it belongs: $1 the folder it came into, in which it is called
#: "item"; $2 where to; $3 mode of files, $4 of folders, $5 owner; empty: as they came.
#:
#: Folders that are there already stay as they are, also where they are links, as /lib often is:
#: so no tool that copies whole trees will do. A file or link of the same name is replaced at once.
PLACE: Final = """\
#!/bin/sh
set -eu
came=$1 to=$2 mode=$3 folder_mode=$4 owner=$5
item=$came/item
trap 'rm -rf "$came"' EXIT
umask 022
is_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }
if [ "$(id -u)" = 0 ]; then chown -hR 0:0 "$item"; fi
if [ -n "$owner" ]; then chown -hR "$owner" "$item"; fi
if [ -n "$mode" ]; then
    find "$item" -type f -exec chmod "$mode" {} +
    find "$item" -type d -exec chmod "$folder_mode" {} +
fi
labelled() { ! command -v restorecon >/dev/null 2>&1 || restorecon "$@" >/dev/null 2>&1 || :; }
if ! is_folder "$item"; then
    if [ -d "$to" ]; then echo "$to is a folder, and a file was to be put there"; exit 1; fi
    case $to in */*) mkdir -p "${to%/*}/" ;; esac
    mv -f "$item" "$to"
    labelled "$to"
    exit
fi
mkdir -p "${to%/*}/"
cd "$item"
find . | while IFS= read -r name; do printf '%s/%s\\n' "$to" "${name#./}"; done >"$came/names"

# Into one folder: all that is no folder.
move='into=$1; shift; exec mv -f -- "$@" "$into/"'
# For each folder, those above first: $1 where to.
fill='
set -e
to=$1
shift
for folder; do
    target=$to/$folder
    [ "$folder" != . ] || target=$to
    wanted=$(stat -c "%a %u:%g" "$folder")
    if [ -d "$target" ]; then # it keeps its owner and mode
        wanted=$(stat -c "%a %u:%g" "$target")
    else
        mkdir "$target"
    fi
    chmod u+rwx "$folder"
    find "$folder" -mindepth 1 -maxdepth 1 ! -type d -exec sh -c "$move" sh "$target" {} +
    [ "$(id -u)" != 0 ] || chown "${wanted#* }" "$folder"
    chmod "${wanted% *}" "$folder"
done
'
# Modes last, those below first: a folder may be read-only.
finish='
set -e
to=$1
shift
for folder; do
    is=$(stat -c "%a %u:%g" "$to/$folder")
    was=$(stat -c "%a %u:%g" "$folder")
    [ "$is" != "$was" ] || continue
    [ "$(id -u)" != 0 ] || chown "${was#* }" "$to/$folder"
    chmod "${was% *}" "$to/$folder"
done
'
export move fill
# By way of the environment: find would replace its braces in the text, too.
find . -type d -exec sh -c 'eval "$fill"' sh "$to" {} +
left=$(find . ! -type d | head -n 1)
if [ -n "$left" ]; then echo "$to/${left#./} could not be put in its place"; exit 1; fi
find . -depth -type d -exec sh -c "$finish" sh "$to" {} +
labelled -f "$came/names"
"""

#: Removes what a copy that broke has left: there may be another attempt, as large.
REMOVE: Final = """\
#!/bin/sh
rm -rf -- "$1"
"""

#: Prints the private host keys of the machine, which nobody may find in its image.
HOST_KEYS: Final = """\
#!/bin/sh
for file in /etc/ssh/ssh_host_*_key; do
    if [ -f "$file" ]; then cat "$file"; echo; fi
done
exit 0
"""

#: Where the steps of a recipe run on a machine that boots no image of it: $1 a folder by which is
#: seen that they were begun here once. Steps need not bear to run twice, and whoever takes the
#: machine over cannot see how far they came. Then cloud-init is waited for, $2 seconds at most.
BEGIN: Final = """\
#!/bin/sh
set -u
if [ -d "$1" ]; then echo 'the steps of its recipe were begun on it before'; exit 75; fi
mkdir "$1" || exit 1
waited=0
while [ -d /run/cloud-init ] && [ ! -e /run/cloud-init/disabled ] &&
    [ ! -e /run/cloud-init/result.json ]; do
    if [ "$waited" -ge "$2" ]; then echo "cloud-init has not ended after $2 s"; exit 1; fi
    waited=$((waited + 1))
    sleep 1
done
"""
#: The exit code that says so.
BEGUN_BEFORE: Final = 75
