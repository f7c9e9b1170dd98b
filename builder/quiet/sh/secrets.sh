# Exact values of secrets in files. They come in the environment of this one shell, which came
# through the connection's standard input: no argument and no file ever holds them. Findings name
# the file.

# search_places: the root, and whatever else lies on a disk: /boot, and on SUSE most of /var and
# /home, are mounts of their own and go into the snapshot all the same.
search_places() {
    echo /
    awk '$1 ~ "^/dev/" && $1 !~ "^/dev/loop" && $2 != "/" &&
        $3 ~ "^(ext[234]|xfs|btrfs|f2fs|vfat)$" { print $2 }' /proc/mounts 2>/dev/null |
        while IFS= read -r place; do printf '%b\n' "$place"; done
}

# Runs once for many files, below find. A tool that fails on one of them (a line longer than the
# memory) would hide the others: then each is looked at alone, and what cannot be is said.
# shellcheck disable=SC2016 # the shell below expands it, not this one
search_files='
# A line break in a name is shown as a question mark.
says() { printf "%s\t%s\n" "$1" "$(printf %s "$2" | tr "\n" "?")"; }
look() {
    if [ "$REMUDA_GREP" = whole ]; then
        printf "%s\n" "$REMUDA_PATTERNS" | grep -F -q -s -f - -- "$1"
    else # this grep stops at a NUL
        tr "\000" "\n" <"$1" | {
            exec 4<&0
            printf "%s\n" "$REMUDA_PATTERNS" | grep -F -q -f - /dev/fd/4
        }
    fi
}
if [ "$REMUDA_GREP" = whole ]; then
    # Nearly always none of them has anything, and that costs one process.
    printf "%s\n" "$REMUDA_PATTERNS" | grep -F -q -s -f - -- "$@"
    [ $? != 1 ] || exit 0
fi
for file; do
    [ -f "$file" ] || continue
    look "$file"
    case $? in
    0) says secret "$file" ;;
    1) ;;
    *) [ ! -f "$file" ] || says unsearched "$file" ;;
    esac
done
exit 0
'

# The names of all files, dealt out to as many searches as there are processors, below one limit.
# shellcheck disable=SC2016 # the shell below expands it, not this one
search_dealt='find "$@" -print0 | xargs -0 -r -P "$REMUDA_AT_ONCE" -n 1000 sh -c "$0" sh'

# deals: find and xargs can do that here.
deals() {
    [ "$REMUDA_AT_ONCE" -gt 1 ] && has xargs &&
        [ "$(find /dev/null -print0 2>/dev/null | xargs -0 -r -P 2 -n 1 echo 2>/dev/null)" = \
            /dev/null ]
}

# limited COMMAND...: give it no more than the time limit.
limited() {
    if has timeout; then timeout "$search_limit" "$@"; else "$@"; fi
    case $? in
    124 | 137 | 143) printf 'unsearched\t/\n' ;;
    esac
}

# search: look through all places. It is the longest work of a phase: gigabytes go by.
search() (
    REMUDA_PATTERNS=$needles
    REMUDA_GREP=lines
    if printf 'a\000needle\n' | grep -F -q needle; then REMUDA_GREP=whole; fi
    REMUDA_AT_ONCE=$(nproc 2>/dev/null) || REMUDA_AT_ONCE=1
    export REMUDA_PATTERNS REMUDA_GREP REMUDA_AT_ONCE
    set -f
    IFS='
'
    # shellcheck disable=SC2046 # a word is a line
    set -- $(search_places | sort -u) -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune \
        -o -type f -size +0
    if deals; then
        limited sh -c "$search_dealt" "$search_files" "$@"
    else
        limited find "$@" -exec sh -c "$search_files" sh {} +
    fi
)

rule_secret() {
    making && return 0
    [ -n "$needles" ] || return 0
    search | head -n "$some" | while IFS='	' read -r kind file; do residue "$file"; done
}
