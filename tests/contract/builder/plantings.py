"""One planting of each residue: what a test puts on a quiet machine, and where it must be found."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from builder.quiet.kinds import CHECKLIST, Kind
from builder.quiet.scripts import Traces
from tests.support.quietable import HOST_KEY, NAME

LOGIN_BLOB: Final = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
LOGIN_KEY: Final = f"ssh-ed25519 {LOGIN_BLOB} build"
OTHER_KEY: Final = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINotOursNotOursNotOursNotOursNotOursNotO them"
)
LAUNCHERS_KEY: Final = f"{OTHER_KEY} remuda-key-0123456789abcdef0123"
AUTHORITY: Final = (
    'cert-authority,principals="remuda-hold-0000000001" '
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAuthorityAuthorityAuthorityAuthorityAut"
)
BUILD_ONLY: Final = "/etc/apt/apt.conf.d/99 proxy of the build"
TRACES: Final = Traces(host_keys=(HOST_KEY,), login_keys=(LOGIN_KEY,), build_only=(BUILD_ONLY,))


@dataclass(frozen=True)
class Planting:
    """A residue.

    Attributes:
        file: What the finding must name.
        how: Shell text that makes it; $f is the file.
        covers: The pattern of the checklist; None: the one that *file* meets.
    """

    kind: Kind
    file: str
    how: str = 'mkdir -p "${f%/*}/"; echo residue >"$f"'
    covers: str | None = None

    def shell(self) -> str:
        """Return the text that plants it."""
        return f"f='{self.file}'\n{self.how}\n"


def plain(kind: Kind, *files: str) -> tuple[Planting, ...]:
    """Return plantings of files that need only be there."""
    return tuple(Planting(kind, file) for file in files)


def line(kind: Kind, file: str, text: str) -> Planting:
    """Return a planting of one line beside others."""
    return Planting(kind, file, f"mkdir -p \"${{f%/*}}/\"; printf 'a=1\\n%s\\n' '{text}' >>\"$f\"")


def large(file: str) -> Planting:
    """Return a planting of a log that is longer than a few lines."""
    return Planting(
        Kind.LOGS, file, 'mkdir -p "${f%/*}/"; head -c 20000 /dev/zero | tr "\\000" x >"$f"'
    )


K = Kind
PLANTINGS: Final = (
    Planting(
        K.PACKAGES,
        "/var/lib/dpkg/status",
        "printf 'Package: half\\nStatus: install ok unpacked\\nMaintainer: x <x@y>\\n"
        "Architecture: all\\nVersion: 1\\nDescription: half\\n\\n' >$f; "
        "printf '/.\\n' >/var/lib/dpkg/info/half.list",
    ),
    line(K.MANUAL_CACHE_CLEAN, "/etc/cloud/cloud.cfg", "manual_cache_clean: true"),
    line(K.MANUAL_CACHE_CLEAN, "/etc/cloud/cloud.cfg.d/9.cfg", "  manual_cache_clean:  True"),
    *plain(
        K.CLOUD_INIT_STATE,
        "/var/lib/cloud/instances/i-build/user-data.txt",
        "/var/lib/cloud/seed/nocloud/.hidden",
        "/run/cloud-init/result.json",
        "/var/log/cloud-init-output.log",
        "/var/log/cloud-init.log",
    ),
    *plain(
        K.CLOUD_INIT_FILES,
        "/etc/netplan/50-cloud-init.yaml",
        "/etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection",
        "/etc/NetworkManager/conf.d/99-cloud-init.conf",
        "/etc/NetworkManager/conf.d/30-cloud-init-ip6-addr-gen-mode.conf",
        "/etc/systemd/network/10-cloud-init-ens3.network",
        "/etc/network/interfaces.d/50-cloud-init.cfg",
        "/etc/ssh/sshd_config.d/50-cloud-init.conf",
        "/etc/sudoers.d/90-cloud-init-users",
    ),
    line(K.CLOUD_INIT_FILES, "/etc/fstab", "/dev/vdb /mnt auto nofail,comment=cloudconfig 0 2"),
    *plain(
        K.DHCP,
        "/var/lib/dhcp/dhclient.eth0.leases",
        "/var/lib/dhclient/dhclient.leases",
        "/var/lib/dhcpcd/duid",
        "/var/lib/wicked/duid.xml",
        "/var/lib/NetworkManager/internal-1-eth0.lease",
        "/var/lib/NetworkManager/secret_key",
        "/etc/dhcpcd.duid",
    ),
    *plain(K.INTERFACES, "/etc/udev/rules.d/70-persistent-net.rules"),
    line(K.INTERFACES, "/etc/sysconfig/network-scripts/ifcfg-eth0", "HWADDR=fa:16:3e:00:00:01"),
    line(K.INTERFACES, "/etc/sysconfig/network/ifcfg-eth0", "UUID=5fb06bd0"),
    line(K.INTERFACES, "/etc/NetworkManager/system-connections/w.nmconnection", "uuid=5fb06bd0"),
    *plain(K.NAMES, "/etc/hostname", "/etc/HOSTNAME", "/etc/machine-info"),
    line(K.NAMES, "/etc/hosts", f"127.0.1.1 {NAME}.novalocal {NAME}"),
    Planting(K.RESOLVER, "/etc/resolv.conf", "echo nameserver 10.0.0.2 >$f"),
    *plain(K.SWAP, "/swapfile", "/swap.img"),
    line(K.SWAP, "/etc/fstab", "/swap.img none swap sw 0 0"),
    *plain(
        K.STORAGE_IDS,
        "/etc/lvm/devices/system.devices",
        "/etc/nvme/hostid",
        "/etc/nvme/hostnqn",
        "/etc/multipath/wwids",
    ),
    line(K.STORAGE_IDS, "/etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1993-08.org:01:a"),
    *plain(
        K.AGENTS,
        "/etc/pki/consumer/cert.pem",
        "/etc/SUSEConnect",
        "/etc/zypp/credentials.d/SCCcredentials",
        "/var/lib/zypp/AnonymousUniqueId",
        "/etc/docker/key.json",
        "/var/lib/docker/engine-id",
        "/var/lib/snapd/device/private-keys-v1/key",
    ),
    Planting(
        K.AGENTS,
        "/var/lib/snapd/assertions/asserts-v0/serial",
        'mkdir -p $f/generic; echo \'{"data": {"auth": {"device": {"brand": "generic", '
        '"serial": "1", "key-id": "2"}}}, "kept": 3}\' >/var/lib/snapd/state.json',
    ),
    *plain(K.BUILD_ONLY, BUILD_ONLY),
    *plain(
        K.HISTORY,
        "/root/.bash_history",
        "/home/ci/.python_history",
        "/home/ci/.lesshst",
        "/root/.viminfo",
    ),
    *plain(K.KNOWN_HOSTS, "/home/ci/.ssh/known_hosts", "/root/.ssh/known_hosts.old"),
    *plain(
        K.CORES,
        "/var/crash/core.1",
        "/var/lib/systemd/coredump/core.sh.zst",
        "/var/spool/abrt/ccpp/coredump",
    ),
    *plain(K.MAIL, "/var/mail/root", "/var/spool/mail/ci"),
    *plain(
        K.ACCOUNT_BACKUPS,
        "/etc/passwd-",
        "/etc/group-",
        "/etc/shadow-",
        "/etc/gshadow-",
        "/etc/subuid-",
        "/etc/subgid-",
    ),
    *plain(K.TEMPORARY_FILES, "/tmp/pip-build/setup.py", "/var/tmp/.hidden"),  # noqa: S108
    *plain(K.JOURNAL, "/var/log/journal/0123456789abcdef/system.journal"),
    *plain(
        K.LOGS,
        "/var/log/syslog.1",
        "/var/log/syslog.10",
        "/var/log/apt/term.log.2.gz",
        "/var/log/messages-20260101",
        "/var/log/dmesg.old",
        "/var/log/secure.xz",
        "/var/log/y2log.bz2",
        "/var/log/boot.zst",
    ),
    *(large(f"/var/log/{name}") for name in ("wtmp", "btmp", "lastlog", "audit/audit.log")),
    *plain(
        K.RANDOM_SEED,
        "/var/lib/systemd/random-seed",
        "/var/lib/urandom/random-seed",
        "/var/lib/misc/random-seed",
        "/boot/efi/loader/random-seed",
        "/boot/loader/random-seed",
        "/efi/loader/random-seed",
    ),
    Planting(
        K.RANDOM_SEED,
        "systemd-random-seed.service",
        "mkdir -p /run/systemd/system; : >/run/seed-active",
        covers="",
    ),
    *plain(K.CREDENTIALS, "/var/lib/systemd/credential.secret"),
    Planting(K.MACHINE_ID, "/etc/machine-id", "echo 0123456789abcdef0123456789abcdef >$f"),
    *plain(K.MACHINE_ID, "/var/lib/dbus/machine-id"),
    *plain(K.HOST_KEYS, "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_rsa_key.pub"),
    Planting(K.LOGIN_KEYS, "/root/.ssh/authorized_keys", f"echo '{LOGIN_KEY}' >$f"),
    Planting(
        K.LOGIN_KEYS,
        "/home/ci/.ssh/authorized_keys2",
        f"printf '%s\\n' '{OTHER_KEY}' 'no-pty ssh-ed25519 {LOGIN_BLOB} other comment' >$f",
    ),
    # As their launcher wrote them: see test_what_launchers_put_there_is_told_by_its_own_words.
    Planting(
        K.LOGIN_KEYS,
        "/home/ci/.ssh/authorized_keys",
        f"printf '%s\\n' '{LAUNCHERS_KEY}' '{OTHER_KEY}' '{AUTHORITY}' >$f",
    ),
    Planting(
        K.LOGIN_KEYS,
        "/etc/ssh/keys/ci",
        f"mkdir -p /etc/ssh/keys; echo '{LOGIN_KEY}' >$f",
        covers="AuthorizedKeysFile of sshd",
    ),
)

#: What no shell text of one file makes; tests of their own plant these.
ELSEWHERE: Final = {
    "/var/lib/dpkg/lock": "test_a_package_tool_at_work_is_a_residue",
    "/var/lib/rpm/__db.*": "test_left_over_databases_of_rpm_go",
    "/proc/mounts": "test_disks_of_others_are_unmounted",
    "/var/tmp/abrt": "below /var/tmp, which is planted",  # noqa: S108
}


def of(kind: Kind) -> tuple[Planting, ...]:
    """Return the plantings of one kind."""
    return tuple(one for one in PLANTINGS if one.kind is kind)


def uncovered() -> list[str]:
    """Return the patterns of the checklist that nobody plants."""
    return [
        f"{item.kind}: {pattern}"
        for item in CHECKLIST
        for pattern in item.files
        if pattern not in ELSEWHERE and not any(_covers(one, pattern) for one in of(item.kind))
    ]


def _covers(planting: Planting, pattern: str) -> bool:
    if planting.covers is not None:
        return planting.covers == pattern
    wholes = [pattern.replace("~", home) for home in ("/root", "/home/ci")]
    return any(
        fnmatchcase(planting.file, whole) or planting.file.startswith(f"{whole}/")
        for whole in wholes
    )
