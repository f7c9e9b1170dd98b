"""What a script on a machine finds out of the sshd that has let it in. Pure."""

from typing import Final

#: Sets `sshd`, its path; `listener`, the process that listens, if one does; `settings`, the
#: arguments that name its settings; and `said`, what those are, or nothing. The one that listens is
#: that whose child the script is: of several on a machine just that one has let us in. Where each
#: connection has an sshd of its own (inetd, a socket unit) none does. OpenSSH from 8.2 on names
#: itself `sshd: PATH ARGUMENTS [listener]`.
FIND_SSHD: Final = r"""
listener='' sshd='' settings='' pid=$$
while [ "${pid:-0}" -ge 1 ]; do
    title=$(tr '\000' ' ' <"/proc/$pid/cmdline" | head -c 4096)
    case $title in
    'sshd: '*' [listener]'*)
        title=${title#sshd: }
        title=${title%% \[listener\]*}
        ;;
    esac
    case ${title%% *} in
    */sshd)
        listener=$pid sshd=${title%% *} wanted=''
        for word in $title; do
            [ -z "$wanted" ] || settings="$settings $wanted $word"
            case $word in -f | -h | -o) wanted=$word ;; *) wanted='' ;; esac
        done
        ;;
    esac
    pid=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$pid/status") || pid=''
done
[ -n "$sshd" ] || sshd=$(command -v sshd || echo /usr/sbin/sshd)
said=$("$sshd" -T $settings 2>/dev/null) || said=''
"""
