# What tells this machine from every other, recorded before it is made quiet and compared with
# what its clones say.

# text NAME: the first line of a file, if it is a plain word.
text() {
    word=$(head -n 1 "$1" 2>/dev/null | head -c 255)
    plain "$word"
}

plain() {
    case $1 in
    *[!A-Za-z0-9_.:@+-]*) written "$1" | head -c 500 ;;
    *) printf %s "$1" ;;
    esac
}

digest() { sha256sum 2>/dev/null | cut -c 1-64; }
digest_of() { [ ! -s "$1" ] || digest <"$1"; }

# listed: the lines of the standard input as the inside of a JSON list.
listed() {
    sort -u | head -n 64 | sed -n 's/^\([0-9a-f]\{64\}\)$/"\1"/p' | tr '\n' , | sed 's/,$//'
}

# A kernel of its own, or one that is shared with a host, whose boot id says nothing.
has_kernel() { [ "$(cat /proc/2/comm 2>/dev/null)" = kthreadd ]; }

own_boot_id() { ! has_kernel || text /proc/sys/kernel/random/boot_id; }

host_keys() {
    for file in /etc/ssh/ssh_host_*_key; do
        [ -e "$file" ] || continue
        if [ -s "$file.pub" ]; then cat "$file.pub"; else ssh-keygen -y -P '' -f "$file"; fi |
            awk 'NR == 1 { print $2 }' | base64 -d 2>/dev/null | digest
    done 2>/dev/null
}

# dhcp_ids: where clients keep a DUID; of lease files only the line with it.
dhcp_ids() {
    for file in /var/lib/dhcpcd/duid /etc/dhcpcd.duid /var/lib/wicked/duid.xml \
        /var/lib/NetworkManager/secret_key; do
        digest_of "$file"
    done
    for file in /var/lib/dhcp/*lease* /var/lib/dhclient/*lease* /var/lib/NetworkManager/*lease*; do
        [ -f "$file" ] || continue
        line=$(grep -E '^(default-duid|CLIENT_ID|CLIENTID|ADDRESS=.*DUID)' "$file" | head -n 1)
        [ -z "$line" ] || printf '%s\n' "$line" | digest
    done
}

phase_identity() {
    start identity
    need base64 sha256sum
    printf 'remuda\tidentity\t-\t{"machine_id":"%s","boot_id":"%s","hostname":"%s",' \
        "$(text /etc/machine-id)" "$(own_boot_id)" "$(plain "$(uname -n)")"
    printf '"instance_id":"%s","seed":"%s","host_keys":[%s],"dhcp_ids":[%s]}\n' \
        "$(text /var/lib/cloud/data/instance-id)" "$(digest_of /var/lib/systemd/random-seed)" \
        "$(host_keys | listed)" "$(dhcp_ids | listed)"
    says end identity 0
}
