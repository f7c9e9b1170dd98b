# The phases over a machine's last connection: made quiet, asserted, and written to its disk, in
# one program, because after it nobody logs in or becomes root again.

# is_ours: the host key that the connection was proven with lies in this root. A shell that shares
# the file system of its host has a key of its own somewhere else, and quieting would hit the host.
is_ours() {
    [ -n "$host_keys" ] || return 1
    for file in /etc/ssh/ssh_host_*_key.pub; do
        if [ -f "$file" ] && printf '%s\n' "$host_keys" | grep -F -q -f - -- "$file"; then
            return 0
        fi
    done
    return 1
}

phase_quiet() {
    start quiet
    is_ours || fail other-machine "$(uname -n)"
    mode=quiet
    # shellcheck disable=SC2086 # words
    rules $quiet_kinds >/dev/null
    says end quiet 0
}

# with_search KIND...: assert these while all files are searched, which takes longest. Rules that
# only look do not mind each other, and lines as short as theirs do not mix in a pipe.
with_search() {
    rules secret &
    rules "$@"
    wait
}

phase_assert() {
    start assert
    mode=assert
    # shellcheck disable=SC2086 # words
    lines=$(with_search $quiet_kinds)
    judged assert "$lines"
}

# Free blocks are given back where the disk takes them, which makes the snapshot small; zeros
# written by hand would make it grow.
phase_trim() {
    ! has fstrim || fstrim -a >/dev/null 2>&1
    sync
}

phase_clone() {
    start clone
    mode=assert
    clone=yes
    # shellcheck disable=SC2086 # words
    lines=$(with_search $clone_kinds)
    judged clone "$lines"
}
