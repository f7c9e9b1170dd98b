#!/bin/sh
# Takes a machine's network away, but for the answers of its SSH server to whoever asks us to, and
# shows that nothing else can be reached. REMUDA_PHASE: cut, or still (only show it once more).
#
# Two rules come before all routes (ip-rule(8)): answers of the SSH server go on, everything else
# is unreachable, at once and whatever a DHCP client does to the routes meanwhile. Loopback, and
# the machine's own addresses, are looked up before: they stay. The last line says what was found.

PATH=$PATH:/usr/sbin:/sbin
LC_ALL=C
export PATH LC_ALL
OURS=1 REST=2
# Attempts are cheap: nothing is sent. These are many all the same.
TARGETS_MAX=40
ANYWHERE='169.254.169.254 198.51.100.1 2001:db8::1'

fail() {
    echo "$*"
    exit 1
}

# sudo hides it from us, but not from whoever is root.
find_peer() {
    p=$$
    found=
    while [ "${p:-0}" -gt 1 ] && [ -z "$found" ]; do
        found=$(tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
        p=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$p/status" 2>/dev/null)
    done
    set -f
    # shellcheck disable=SC2086
    set -- $found
    set +f
    [ $# -eq 4 ] || fail 'the machine does not say who is logged in: no process has SSH_CONNECTION'
    peer=${1%%%*} port=$4
    case $peer in
    '' | *[!0-9a-fA-F.:]*) fail "the machine says that we come from $peer, which is no address" ;;
    esac
    case $port in
    '' | *[!0-9]*) fail "the machine says that its SSH server is at $port, which is no port" ;;
    esac
}

family_of() {
    case $1 in
    *:*) echo 6 ;;
    *) echo 4 ;;
    esac
}

# A machine without IPv6 has none of its rules.
families() {
    if grep -q . /proc/net/if_inet6 2>/dev/null; then echo 4 6; else echo 4; fi
}

is_cut() {
    ip "-$1" rule show | grep -q "^$REST:.* unreachable"
}

first_rule_after_ours() {
    ip "-$1" rule show | while IFS=: read -r number _; do
        if [ "$number" -gt "$REST" ]; then
            echo "$number"
            break
        fi
    done
}

cut() {
    for family in $(families); do
        is_cut "$family" && continue
        if [ "$family" = "$(family_of "$peer")" ]; then
            next=$(first_rule_after_ours "$family")
            why=$(ip "-$family" rule add pref "$OURS" to "$peer" ipproto tcp sport "$port" \
                goto "${next:-32766}" 2>&1) ||
                fail "its network cannot be taken away, as 'ip rule' refuses: $why"
        fi
        why=$(ip "-$family" rule add pref "$REST" unreachable 2>&1) ||
            fail "its network cannot be taken away, as 'ip -$family rule' refuses: $why"
    done
    # Where a packet's sender could not be answered it would be dropped, and with it the question
    # of our router which hardware address is ours (rp_filter in ip-sysctl).
    # Not before: a machine whose kernel refuses rules, for it shares the network of its host, may
    # well be let write there.
    for file in /proc/sys/net/ipv4/conf/*/rp_filter; do
        echo 0 >"$file"
    done 2>/dev/null
}

targets() {
    {
        echo "$peer"
        for family in $(families); do
            ip "-$family" route show table all 2>/dev/null | sed -n 's/.* via \([^ ]*\) .*/\1/p'
            ip "-$family" neigh show 2>/dev/null | sed 's/ .*//'
        done
        sed -n 's/^nameserver[[:space:]]*\([^ %]*\).*/\1/p' /etc/resolv.conf 2>/dev/null
    } | grep -E '^[0-9a-fA-F.:]+$' | grep '[.:]' | sort -u | head -n "$TARGETS_MAX"
    for one in $ANYWHERE; do echo "$one"; done
}

# By what an attempt can be made; only what can reach ourselves can tell that it reaches nobody.
choose_tool() {
    tool=
    for one in bash python3; do
        command -v "$one" >/dev/null || continue
        tool=$one
        if attempt udp 127.0.0.1; then return; fi
        tool=
    done
}

# A socket is connected: over UDP that takes a route, and nothing is sent; over TCP a refusal
# comes from somebody.
attempt() {
    case $tool in
    bash)
        # shellcheck disable=SC2016
        why=$(timeout 5 bash -c 'exec 3<>"/dev/$0/$1/9"' "$1" "$2" 2>&1)
        ;;
    python3)
        why=$(timeout 5 python3 -c 'import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
socket.socket(family, kind).connect((sys.argv[2], 9))' "$1" "$2" 2>&1)
        ;;
    *) return 1 ;;
    esac
    code=$?
    [ "$code" -ne 124 ] || return 0
    case $why in *[Rr]efused*) return 0 ;; esac
    return "$code"
}

# The kernel's own word first: it needs no tool, and is as good as an attempt.
reaches() {
    way=$(ip "-$(family_of "$1")" route get "$1" 2>/dev/null)
    code=$?
    case $way in local*) return 1 ;; esac
    [ "$code" -ne 0 ] || return 0
    attempt udp "$1" || attempt tcp "$1"
}

show() {
    choose_tool
    case $(ip route get 127.0.0.1 2>/dev/null) in
    local*) ;;
    *) fail 'loopback is gone with the network: it cannot be told what else is' ;;
    esac
    for family in $(families); do
        is_cut "$family" || fail "the machine has a network again (IPv$family): its rule is gone"
    done
    count=0
    for one in $(targets); do
        if reaches "$one"; then
            fail "its network is not gone: $one can still be reached"
        fi
        count=$((count + 1))
    done
    echo "offline: $count addresses were tried by ${tool:-the kernel\'s word}, none can be reached"
}

[ "$(id -u)" = 0 ] || fail 'its network cannot be taken away by anybody but root'
command -v ip >/dev/null || fail "the machine has no 'ip' (iproute2): its network stays"
find_peer
if [ "$REMUDA_PHASE" = cut ]; then
    is_cut 4 || [ -n "$(ip "-$(family_of "$peer")" route get "$peer" 2>/dev/null)" ] ||
        fail "'ip route get' finds no way to $peer, from where we came: it cannot be believed"
    cut
fi
show
