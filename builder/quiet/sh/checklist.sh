# What a machine may not pass on to its clones: one rule per kind, in the order of docs/quiet.md.
# Never touched: caches of packages and languages (they are what an image is for), UUIDs of file
# systems and volumes (it would not boot), names of boot entries.

# finish_packages: what a step left half configured is completed; nothing is asked.
finish_packages() {
    if has_dpkg; then
        DEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a >/dev/null
    fi
    has_dpkg || rm -f /var/lib/rpm/__db.*
}

rule_packages() {
    if making; then
        finish_packages
        return
    fi
    lock=$(package_lock)
    [ -z "$lock" ] || residue "$lock"
    if has_dpkg; then
        [ -z "$(unfinished_packages)" ] || residue /var/lib/dpkg/status
    else
        gone '/var/lib/rpm/__db.*'
    fi
}

# An image that trusts its own cache takes every clone for the build machine. Somebody wanted that,
# so that it is refused and not mended.
rule_manual_cache_clean() {
    making && return
    without '^[[:space:]]*manual_cache_clean:[[:space:]]*(true|True|yes|on)' \
        /etc/cloud/cloud.cfg '/etc/cloud/cloud.cfg.d/*.cfg'
}

# Its own tool knows files of data sources that we do not, but not in every version; and it may
# fail half-way. So both: the tool as far as it goes, then all by hand. Others' clean-up scripts
# run once.
clean_cloud_init() {
    set -- clean --logs --seed
    if has cloud-init; then
        options=$(cloud-init clean --help 2>/dev/null)
        case $options in *--configs*) set -- "$@" --configs all ;; esac
        cloud-init "$@" >/dev/null && return
    fi
    for script in /etc/cloud/clean.d/*; do
        if [ -f "$script" ] && [ -x "$script" ]; then "$script" >/dev/null; fi
    done
}

rule_cloud_init_state() {
    if making; then clean_cloud_init; fi
    cleared /var/lib/cloud /run/cloud-init
    gone '/var/log/cloud-init*.log*'
}

rule_cloud_init_files() {
    gone /etc/netplan/50-cloud-init.yaml \
        '/etc/NetworkManager/system-connections/cloud-init-*' \
        /etc/NetworkManager/conf.d/99-cloud-init.conf \
        /etc/NetworkManager/conf.d/30-cloud-init-ip6-addr-gen-mode.conf \
        '/etc/systemd/network/10-cloud-init-*' \
        /etc/network/interfaces.d/50-cloud-init.cfg \
        /etc/ssh/sshd_config.d/50-cloud-init.conf \
        /etc/sudoers.d/90-cloud-init-users
    without '^[^#].*comment=cloudconfig' /etc/fstab
}

rule_dhcp() {
    cleared /var/lib/dhcp /var/lib/dhclient /var/lib/dhcpcd /var/lib/wicked
    gone '/var/lib/NetworkManager/*lease*' /var/lib/NetworkManager/secret_key /etc/dhcpcd.duid
}

rule_interfaces() {
    gone /etc/udev/rules.d/70-persistent-net.rules
    without '^[[:space:]]*(HWADDR|UUID|HOSTNAME|DHCP_HOSTNAME)=' \
        '/etc/sysconfig/network-scripts/ifcfg-*' '/etc/sysconfig/network/ifcfg-*'
    without '^uuid=' '/etc/NetworkManager/system-connections/*.nmconnection'
}

# hosts_without_us: /etc/hosts without the names of this machine, and without lines of no name.
hosts_without_us() {
    us=$(uname -n)
    us=${us%%.*}
    case $us in localhost | '') us=/ ;; esac
    awk -v us="$us" '
        { line = $0; sub(/#.*/, ""); kept = $1 }
        { for (i = 2; i <= NF; i++) if ($i != us && index($i, us ".") != 1) kept = kept " " $i }
        { n = split(kept, names, " ") }
        n == NF { print line; next }
        n > 1 { print kept }' /etc/hosts
}

rule_names() {
    gone /etc/hostname /etc/HOSTNAME /etc/machine-info
    [ -f /etc/hosts ] || return 0
    text=$(hosts_without_us)
    [ "$text" != "$(cat /etc/hosts)" ] || return 0
    if making; then printf '%s\n' "$text" >/etc/hosts; else residue /etc/hosts; fi
}

# A file that was written for the network of the build cloud. A link leads to what is made anew at
# every boot, so it stays; an empty file is filled by whoever manages it.
rule_resolver() {
    file=/etc/resolv.conf
    [ ! -L "$file" ] && grep -Eq '^[[:space:]]*(nameserver|search|domain)' "$file" 2>/dev/null ||
        return 0
    if ! making; then
        residue "$file"
    elif [ -e /run/systemd/resolve/stub-resolv.conf ]; then
        ln -sf ../run/systemd/resolve/stub-resolv.conf "$file" || : >"$file"
    else
        : >"$file"
    fi
}

rule_swap() {
    if making; then
        for file in /swapfile /swap.img; do
            [ ! -e "$file" ] || swapoff "$file" 2>/dev/null
        done
    fi
    gone /swapfile /swap.img
    without '^/(swapfile|swap\.img)[[:space:]]' /etc/fstab
}

# foreign_mounts: where disks other than root's are mounted; clones have none, or others.
foreign_mounts() {
    root=$(root_source)
    case $root in /dev/*) ;; *) return ;; esac
    root=$(disk_of "$root")
    awk '$1 ~ "^/dev/" && $1 !~ "^/dev/loop" { print $1, $2 }' /proc/mounts |
        while read -r device place; do
            [ "$(disk_of "$device")" = "$root" ] || printf '%b\n' "$place"
        done
}

rule_extra_disks() {
    if making; then
        foreign_mounts | sort -r | while IFS= read -r place; do umount "$place"; done
    else
        foreign_mounts | residues
    fi
}

# Debian makes a name for iSCSI only where a file asks for one; others make one where none is.
rule_storage_ids() {
    gone /etc/lvm/devices/system.devices /etc/nvme/hostid /etc/nvme/hostnqn /etc/multipath/wwids
    file=/etc/iscsi/initiatorname.iscsi
    if making && [ -f "$file" ]; then
        if has_dpkg; then echo GenerateName=yes >"$file"; else rm -f "$file"; fi
    fi
    without '^InitiatorName=' /etc/iscsi/initiatorname.iscsi
}

# forget_serial: snapd registers anew if it knows of no serial; its state is one JSON file.
forget_serial() {
    [ -f /var/lib/snapd/state.json ] && has python3 || return 0
    ! has_systemd || systemctl stop snapd.socket snapd.service 2>/dev/null
    python3 -I -c '
import json, os
path = "/var/lib/snapd/state.json"
with open(path) as file:
    state = json.load(file)
device = state.get("data", {}).get("auth", {}).get("device", {})
for name in ("serial", "key-id", "session-macaroon"):
    device.pop(name, None)
with open(path + ".new", "w") as file:
    os.chmod(path + ".new", 0o600)
    json.dump(state, file)
os.rename(path + ".new", path)
'
}

rule_agents() {
    if making && exists /var/lib/snapd/assertions/asserts-v0/serial; then forget_serial; fi
    gone '/etc/pki/consumer/*' /etc/SUSEConnect /etc/zypp/credentials.d/SCCcredentials \
        /var/lib/zypp/AnonymousUniqueId /etc/docker/key.json /var/lib/docker/engine-id \
        /var/lib/snapd/assertions/asserts-v0/serial '/var/lib/snapd/device/private-keys-v1/*'
}

# Files that only the build needs, as the recipe says: settings of proxies and mirrors.
rule_build_only() {
    [ -n "$build_only" ] || return 0
    printf '%s\n' "$build_only" | while IFS= read -r file; do
        exists "$file" || continue
        if making; then rm -rf -- "$file"; else residue "$file"; fi
    done
}

rule_history() {
    at_homes .bash_history '.*_history' .lesshst .viminfo
}

rule_known_hosts() {
    at_homes .ssh/known_hosts .ssh/known_hosts.old
}

rule_cores() {
    cleared /var/crash /var/lib/systemd/coredump /var/spool/abrt /var/tmp/abrt
}

rule_mail() {
    cleared /var/mail /var/spool/mail
}

rule_account_backups() {
    gone /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
}

rule_temporary_files() {
    cleared /tmp /var/tmp
}

# The journal is moved to memory first, where journald can do that: it would write on in files
# that are gone.
rule_journal() {
    if making && has_systemd && has journalctl; then
        journalctl -q --relinquish-var 2>/dev/null || journalctl -q --rotate 2>/dev/null
    fi
    cleared /var/log/journal
}

# rotated [ACTION...]: older parts of logs.
rotated() {
    find /var/log/ -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.bz2' -o -name '*.zst' \
        -o -name '*.[0-9]' -o -name '*.[0-9][0-9]' -o -name '*.old' -o -name '*-[0-9]*[0-9]' \) \
        ! -path '/var/log/journal/*' "$@"
}

# Of those that stay a few lines are there again at once, our own session's too.
rule_logs() {
    if making; then rotated -exec rm -f -- {} +; else rotated | residues; fi
    small 16384 /var/log ! -path '/var/log/journal/*'
}

# Stopped first: its stop, at shutdown at the latest, writes the file again.
rule_random_seed() {
    if making && has_systemd; then systemctl stop systemd-random-seed.service 2>/dev/null; fi
    gone /var/lib/systemd/random-seed /var/lib/urandom/random-seed /var/lib/misc/random-seed \
        /boot/efi/loader/random-seed /boot/loader/random-seed /efi/loader/random-seed
    if ! making && has_systemd && systemctl -q is-active systemd-random-seed.service; then
        residue systemd-random-seed.service
    fi
}

rule_credentials() {
    gone /var/lib/systemd/credential.secret
}

boots_systemd() { [ -e /usr/lib/systemd/systemd ] || [ -e /lib/systemd/systemd ]; }

# With systemd an empty file is no first boot, and none is one that a read-only root cannot make:
# it wants its word. The copy of D-Bus may be empty there, as systemd's is asked next; elsewhere
# D-Bus makes a new one only where no file is.
rule_machine_id() {
    main=/etc/machine-id
    copy=/var/lib/dbus/machine-id
    if ! boots_systemd; then
        gone /etc/machine-id /var/lib/dbus/machine-id
        return
    fi
    if making; then
        echo uninitialized >"$main"
        if [ -f "$copy" ] && [ ! -L "$copy" ]; then : >"$copy"; fi
        return
    fi
    [ "$(cat "$main" 2>/dev/null)" = uninitialized ] || residue "$main"
    if [ -s "$copy" ] && [ ! -L "$copy" ]; then residue "$copy"; fi
}

rule_host_keys() {
    gone '/etc/ssh/ssh_host_*'
}

# key_files: where sshd looks for keys, by its settings and by their defaults.
key_files() {
    {
        printf '%s\n' .ssh/authorized_keys .ssh/authorized_keys2
        cat /etc/ssh/*sshd_config /etc/ssh/sshd_config.d/*.conf 2>/dev/null |
            awk 'tolower($1) == "authorizedkeysfile" { for (i = 2; i <= NF; i++) print $i }'
    } | sort -u | while IFS= read -r pattern; do
        {
            cat /etc/passwd
            homes | sed 's|.*|:::::&:|'
        } | awk -F: -v pattern="$pattern" '$6 != "" {
            path = pattern
            gsub(/%h/, $6, path)
            gsub(/%u/, $1, path)
            if (path !~ "^/") path = $6 "/" path
            print path }'
    done | sort -u | while IFS= read -r file; do [ ! -f "$file" ] || printf '%s\n' "$file"; done
}

# Keys are told by their Base64 part: cloud-init puts options before it, people comments after it.
# A file of which nothing is left goes too. Last of all rules: nobody logs in after it.
rule_login_keys() {
    key_files | while IFS= read -r file; do
        text=$(key_lines_kept <"$file")
        [ "$text" != "$(cat "$file")" ] || continue
        if ! making; then
            residue "$file"
        elif [ -n "$text" ]; then
            printf '%s\n' "$text" >"$file"
        else
            rm -f -- "$file"
        fi
    done
}

# key_lines_kept: what may stay of the key file that it reads. Launchers, too, put lines there that
# only their own machine may have: of guests, of people for whom it is held, and of an authority
# that is trusted for its hold. A clone has those of its own launcher.
key_lines_kept() {
    awk -v keys="$(printf '%s' "$login_keys" | tr '\n' ' ')" -v clone="$clone" '
        BEGIN { count = split(keys, key, " ") }
        {
            for (i = 1; i <= count; i++) if (index($0, key[i])) next
            if (clone == "" && / remuda-(guest|key-[0-9a-f]+)[ \t\r]*$/) next
            if (clone == "" && /^[ \t]*cert-authority,principals="remuda-hold-/) next
            print
        }'
}
