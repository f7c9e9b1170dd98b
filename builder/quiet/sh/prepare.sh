# Before the first step: nobody else is at work on the machine, or a step fails at random.

# wait_for LIMIT CLASS COMMAND: until COMMAND, which prints what is in the way, prints nothing.
# Seconds are counted, not read: clocks of fresh machines jump.
wait_for() {
    waited=0
    while block=$($3) && [ -n "$block" ]; do
        [ "$waited" -lt "$1" ] || fail "$2" "$block"
        waited=$((waited + 1))
        sleep 1
    done
}

# cloud_init_at_work: cloud-init makes its folder first of all, and the result at its very end.
cloud_init_at_work() {
    [ -d /run/cloud-init ] && [ ! -e /run/cloud-init/disabled ] || return 0
    [ -e /run/cloud-init/result.json ] || echo /run/cloud-init/result.json
}

# stop_timers: what would start a package tool in the middle of a step. The services themselves
# are not stopped: killing dpkg at work leaves packages half configured; they are waited for.
stop_timers() {
    has_systemd || return 0
    for timer in apt-daily apt-daily-upgrade dnf-makecache dnf-automatic dnf-automatic-install \
        packagekit-background transactional-update; do
        systemctl stop "$timer.timer" 2>/dev/null
    done
    return 0
}

# keep_entry_names: boot entries are named after the machine id that was there when the base was
# made. Later kernels must get the same name, whatever becomes of the id; else the menu has both,
# or kernel-install puts its files where nobody looks.
keep_entry_names() {
    [ -d /boot/loader/entries ] && [ ! -e /etc/kernel/entry-token ] || return 0
    for entry in /boot/loader/entries/*-"$(uname -r)".conf; do
        [ -e "$entry" ] || continue
        token=${entry##*/}
        mkdir -p /etc/kernel
        printf '%s\n' "${token%"-$(uname -r).conf"}" >/etc/kernel/entry-token
    done
}

phase_prepare() {
    start prepare
    wait_for "$cloud_init_limit" cloud-init-unfinished cloud_init_at_work
    stop_timers
    wait_for "$lock_limit" lock-held package_lock
    keep_entry_names
    says end prepare 0
}
