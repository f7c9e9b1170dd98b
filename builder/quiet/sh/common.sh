# Words that all phases use. POSIX sh: dash, bash and busybox run it; no tool is taken for granted
# that a small image may lack. Lines for the builder begin with "remuda" and have tabs between
# fields; all else that is printed is evidence for people.
#
# A rule is a function that says what must be true of a kind of residue. In mode "quiet" its verbs
# make it true, in mode "assert" they report what is not: one text for both, so that neither can
# forget what the other knows.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 022

mode=assert
clone=
kind=none
# Findings per verb, and in all: a machine full of residue is told from a quiet one by the first.
some=20
most=500

# The folder that was made for this script, which goes by itself.
case $0 in
/*/*/*) own=${0%/*} ;;
*) own=/nonexistent ;;
esac

has() { command -v "$1" >/dev/null 2>&1; }
exists() { [ -e "$1" ] || [ -L "$1" ]; }
making() { [ "$mode" = quiet ]; }
has_systemd() { [ -d /run/systemd/system ] && has systemctl; }
says() { printf 'remuda\t%s\t%s\t%s\n' "$1" "$2" "$3"; }

# written NAME: the name of a file as one field. Odd ones in hexadecimal: they may hold anything.
written() {
    case $1 in
    '' | *[!A-Za-z0-9_./@%+=:,~-]*)
        printf hex:
        printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
        ;;
    *) printf %s "$1" ;;
    esac
}

residue() { says residue "$kind" "$(written "$1")"; }

# residues: a finding per line of the standard input.
residues() {
    head -n "$some" | while IFS= read -r line; do residue "$line"; done
}

# gone PATTERN...: no such file or folder exists. Patterns come quoted and are expanded here.
gone() (
    IFS=
    for pattern in "$@"; do
        for file in $pattern; do
            exists "$file" || continue
            if making; then rm -rf -- "$file"; else residue "$file"; fi
        done
    done
)

# cleared FOLDER...: it holds no files. Other file systems mounted in it are left alone.
cleared() (
    for folder in "$@"; do
        [ -d "$folder" ] || continue
        if making; then
            find "$folder/" -xdev -mindepth 1 ! -type d ! -path "$own/*" -exec rm -f -- {} +
            find "$folder/" -xdev -depth -mindepth 1 -type d ! -path "$own" -exec rmdir -- {} + \
                2>/dev/null
        else
            find "$folder/" -xdev -mindepth 1 ! -type d ! -path "$own/*" | residues
        fi
    done
)

# without REGEX PATTERN...: no line of these files matches. Owner, mode and label stay.
without() (
    IFS=
    regex=$1
    shift
    for pattern in "$@"; do
        for file in $pattern; do
            if [ ! -f "$file" ] || ! grep -Eq -e "$regex" -- "$file"; then
                continue
            elif making; then
                text=$(grep -Ev -e "$regex" -- "$file"; printf x)
                printf %s "${text%x}" >"$file"
            else
                residue "$file"
            fi
        done
    done
)

# small BYTES FOLDER [TEST...]: no file below is larger. Truncated, not removed: daemons hold them.
small() (
    bytes=$1
    folder=$2
    shift 2
    [ -d "$folder" ] || exit 0
    if making; then
        find "$folder/" -xdev -type f -size +0 "$@" | while IFS= read -r file; do : >"$file"; done
    else
        find "$folder/" -xdev -type f -size "+${bytes}c" "$@" | residues
    fi
)

# homes: every home once, also of accounts that are gone.
homes() {
    {
        awk -F: '$6 ~ "^/." { print $6 }' /etc/passwd
        printf '%s\n' /root /home/*
    } | sort -u | while IFS= read -r home; do [ ! -d "$home" ] || printf '%s\n' "$home"; done
}

# at_homes NAME...: as gone, below every home.
at_homes() {
    homes | while IFS= read -r home; do
        for name in "$@"; do gone "$home/$name"; done
    done
}

root_source() { df -P / 2>/dev/null | awk 'NR == 2 { print $1 }'; }

# disk_of DEVICE: the name of the disk it lies on, through partitions and the first of its layers.
disk_of() {
    name=$(readlink -f "$1" 2>/dev/null) || name=$1
    name=${name##*/}
    for _ in 1 2 3 4; do
        for below in "/sys/class/block/$name/slaves"/*; do break; done
        [ -e "$below" ] || break
        name=${below##*/}
    done
    if [ -e "/sys/class/block/$name/partition" ]; then
        place=$(readlink -f "/sys/class/block/$name")
        place=${place%/*}
        name=${place##*/}
    fi
    printf '%s\n' "$name"
}

# is_locked FILE: somebody holds a lock of fcntl(2) on it, as dpkg, apt and rpm do; sets "holder".
# Inodes of two file systems may be equal: only a process that has the file open counts.
is_locked() {
    [ -e "$1" ] || return 1
    inode=$(stat -c %i "$1" 2>/dev/null) || return 1
    # shellcheck disable=SC2013 # numbers of processes
    for holder in $(awk -v i=":$inode" '$2 != "->" && substr($6, length($6) - length(i) + 1) == i {
            print $5 }' /proc/locks 2>/dev/null); do
        for open in "/proc/$holder/fd"/*; do
            [ "$(readlink "$open")" != "$1" ] || return 0
        done
    done
    return 1
}

# is_claimed FILE: the process whose number it holds is alive, and a package tool; sets "holder".
is_claimed() {
    [ -s "$1" ] || return 1
    holder=$(head -c 16 "$1" | tr -cd 0-9)
    [ -n "$holder" ] && [ -r "/proc/$holder/comm" ] || return 1
    case $(cat "/proc/$holder/comm" 2>/dev/null) in
    dnf* | yum* | zypper* | packagekit* | python* | y2*) return 0 ;;
    esac
    return 1
}

# package_lock: print the first file by which a package tool is at work, and the tool.
package_lock() {
    for file in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock \
        /var/cache/apt/archives/lock /var/lib/rpm/.rpm.lock /usr/lib/sysimage/rpm/.rpm.lock; do
        if is_locked "$file"; then
            printf '%s\n' "$file"
            return
        fi
    done
    for file in /var/cache/dnf/download_lock.pid /var/cache/dnf/metadata_lock.pid \
        /var/lib/dnf/rpmdb_lock.pid /run/yum.pid /run/zypp.pid; do
        if is_claimed "$file"; then
            printf '%s\n' "$file"
            return
        fi
    done
}

# rules KIND...: apply the rules of these kinds, in this order, and say of each that it was applied.
rules() {
    for kind in "$@"; do
        "rule_$(printf %s "$kind" | tr - _)"
        [ $? = 127 ] || says applied "$kind" -
    done
}

# By its database's own tool: busybox has a dpkg too.
has_dpkg() { has dpkg-query; }

# unfinished_packages: what dpkg has begun and not ended. Its own audit says more, that packages of
# others came without check sums for example, which hinders nobody.
unfinished_packages() {
    # shellcheck disable=SC2016 # dpkg-query expands it
    dpkg-query -W -f '${db:Status-Status} ${db:Status-Eflag} ${Package}\n' 2>/dev/null |
        awk '$1 ~ /^(half|unpacked|triggers)/ || $2 == "reinstreq" { print $3 }'
}

# fail CLASS FILE: a phase cannot go on; the builder reacts to the class.
fail() {
    says failed "$1" "$(written "$2")"
    echo "failed: $1 ($2)"
    exit 4
}

need() {
    for tool in "$@"; do has "$tool" || fail tool-missing "$tool"; done
}

start() {
    says begin "$1" -
    [ "$(id -u)" = 0 ] || fail not-root "$(id -un 2>/dev/null)"
    need awk cat cut date df find grep head ls od readlink rm rmdir sed sort stat tr uname wc
}

# judged PHASE LINES: print what was found; the number of findings is the proof that none is lost.
judged() {
    found=$(printf '%s\n' "$2" | grep -c '^remuda	residue	')
    printf '%s\n' "$2" | grep -v '^remuda	residue	' | grep '^remuda	'
    printf '%s\n' "$2" | grep '^remuda	residue	' | head -n "$most"
    [ "$found" -le "$most" ] || found=$most
    says end "$1" "$found"
    [ "$found" -gt 0 ] || return 0
    first=$(printf '%s\n' "$2" | grep '^remuda	residue	' | head -n 1 | cut -f 3,4 | tr '\t' ' ')
    echo "not quiet: $first, findings: $found"
    return 3
}
