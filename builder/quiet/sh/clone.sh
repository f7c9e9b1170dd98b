# What must be true of a machine that was made from the image.

# User data of other instances than this one: of the machine that the image was made on.
rule_user_data() {
    id=$(head -n 1 /var/lib/cloud/data/instance-id 2>/dev/null)
    for folder in /var/lib/cloud/instances/*/ /var/lib/cloud/seed/*/; do
        [ -d "$folder" ] || continue
        folder=${folder%/}
        [ "$folder" = "/var/lib/cloud/instances/$id" ] || residue "$folder"
    done
}

# The file system was not cleanly unmounted when the snapshot was taken.
rule_journal_recovery() {
    has_kernel || return 0
    {
        dmesg 2>/dev/null
        ! has journalctl || journalctl -b -q -o cat -u 'systemd-fsck*' 2>/dev/null
    } | grep -Ei -e 'EXT4-fs.*recovery complete' -e ': recovering journal' \
        -e 'XFS .*starting recovery' -e 'BTRFS.*log.replay' |
        sed 's/^\[[^]]*\] *//' | residues
}

# sectors FILE: a number of 512-byte units that the kernel says, or nothing.
sectors() { head -c 20 "$1" 2>/dev/null | tr -cd 0-9; }

# The disk of a flavor is larger than the image's: root's partition and file system must follow.
rule_disk_not_grown() {
    [ ! -e /etc/growroot-disabled ] || return 0
    device=$(root_source)
    case $device in /dev/*) ;; *) return 0 ;; esac
    part=$(readlink -f "$device")
    part=${part##*/}
    size=$(sectors "/sys/class/block/$part/size")
    kib=$(df -Pk / | awk 'NR == 2 { print $2 }')
    # A file system keeps some of its place for itself, at most a seventh even if it is small.
    if [ -n "$size" ] && [ "$kib" -lt $((size * 3 / 7)) ]; then residue "$device"; fi
    [ -e "/sys/class/block/$part/partition" ] || return 0
    disk=$(disk_of "$device")
    whole=$(sectors "/sys/class/block/$disk/size")
    last=0
    for each in "/sys/class/block/$disk"/*/partition; do
        each=${each%/partition}
        ends=$(($(sectors "$each/start") + $(sectors "$each/size")))
        [ "$ends" -le "$last" ] || last=$ends
    done
    # Less than a twentieth, or 64 MiB, is alignment.
    left=$((${whole:-0} - last))
    if [ "$left" -gt 131072 ] && [ "$left" -gt $((whole / 20)) ]; then residue "/dev/$disk"; fi
}

has_rpms() { [ -e /usr/lib/sysimage/rpm ] || [ -e /var/lib/rpm/Packages ] ||
    [ -e /var/lib/rpm/rpmdb.sqlite ]; }

# The package tool works, without asking the network.
rule_package_tool() {
    if has apt-get; then
        [ -z "$(unfinished_packages)" ] || residue dpkg
        apt-get -qq check >/dev/null 2>&1 || residue apt-get
    fi
    if has rpm && has_rpms; then rpm -q --quiet rpm || residue rpm; fi
    if has dnf; then dnf -q -C repolist >/dev/null 2>&1 || residue dnf; fi
    if has zypper; then
        zypper -q -n --no-refresh search -i zypper >/dev/null 2>&1 || residue zypper
    fi
}

rule_failed_units() {
    has_systemd || return 0
    systemctl list-units --failed --no-legend --plain 2>/dev/null |
        awk '{ print $1 }' | residues
}
