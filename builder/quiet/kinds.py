"""What a machine may not pass on to its clones: kinds of residue, the checklist, and findings."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remuda.visible import visible


class Kind(StrEnum):
    """Kinds of residue; the value is the word of the scripts, which have one rule for each."""

    PACKAGES = "packages"
    MANUAL_CACHE_CLEAN = "manual-cache-clean"
    CLOUD_INIT_STATE = "cloud-init-state"
    CLOUD_INIT_FILES = "cloud-init-files"
    DHCP = "dhcp"
    INTERFACES = "interfaces"
    NAMES = "names"
    RESOLVER = "resolver"
    SWAP = "swap"
    EXTRA_DISKS = "extra-disks"
    STORAGE_IDS = "storage-ids"
    AGENTS = "agents"
    BUILD_ONLY = "build-only"
    HISTORY = "history"
    KNOWN_HOSTS = "known-hosts"
    CORES = "cores"
    MAIL = "mail"
    ACCOUNT_BACKUPS = "account-backups"
    TEMPORARY_FILES = "temporary-files"
    JOURNAL = "journal"
    LOGS = "logs"
    RANDOM_SEED = "random-seed"
    CREDENTIALS = "credentials"
    MACHINE_ID = "machine-id"
    HOST_KEYS = "host-keys"
    LOGIN_KEYS = "login-keys"
    # Of any file system.
    SECRET = "secret"  # noqa: S105 - a word
    UNSEARCHED = "unsearched"  # for secrets: no time, or a tool failed
    # Of clones.
    USER_DATA = "user-data"
    JOURNAL_RECOVERY = "journal-recovery"
    DISK_NOT_GROWN = "disk-not-grown"
    PACKAGE_TOOL = "package-tool"
    FAILED_UNITS = "failed-units"
    # Of a clone that is compared with the build machine.
    SAME_MACHINE_ID = "same-machine-id"
    SAME_BOOT_ID = "same-boot-id"
    SAME_HOST_KEY = "same-host-key"
    SAME_DHCP_ID = "same-dhcp-id"
    SAME_HOSTNAME = "same-hostname"
    SAME_INSTANCE_ID = "same-instance-id"
    SAME_SEED = "same-seed"


#: Longer names are cut where people read them.
_SHOWN_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Residue:
    """One thing that must not be there.

    Attributes:
        kind: What it is.
        file: Where it is: an absolute path, or the name of a unit, tool or field. Text of a
            stranger; never the value of a secret.
    """

    kind: Kind
    file: str

    def __str__(self) -> str:
        """Say it for people, in one line."""
        return f"{self.kind} in {visible(self.file[:_SHOWN_CHARS_MAX])}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line of the checklist.

    Attributes:
        what: For people.
        files: Where it lies; patterns of the shell. A line of a file: the file.
        why: What becomes of clones that have it.
        mended: Quieting removes it; else it is only refused.
        may_stay: A recipe may say that its images keep it.
        evidence: What somebody looks for who takes a failed machine home: such an image keeps it.
    """

    kind: Kind
    what: str
    files: tuple[str, ...]
    why: str
    mended: bool = True
    may_stay: bool = False
    evidence: bool = False


#: In the order in which it is worked off: what other rules or the login need goes last.
CHECKLIST: Final = (
    Item(
        kind=Kind.PACKAGES,
        what="packages half installed, package tools at work",
        files=("/var/lib/dpkg/status", "/var/lib/dpkg/lock", "/var/lib/rpm/__db.*"),
        why="the first user's installation fails",
        evidence=True,
    ),
    Item(
        kind=Kind.MANUAL_CACHE_CLEAN,
        what="cloud-init that trusts its own cache",
        files=(
            "/etc/cloud/cloud.cfg",
            "/etc/cloud/cloud.cfg.d/*.cfg",
        ),
        why="clones take themselves for the build machine; refused, because somebody wanted it",
        mended=False,
    ),
    Item(
        kind=Kind.CLOUD_INIT_STATE,
        what="state of cloud-init, with the user data and its host key; its clean-up scripts run",
        files=("/var/lib/cloud", "/run/cloud-init", "/var/log/cloud-init*.log*"),
        why="nothing runs at the first boot, or old user data does; it holds a private key",
    ),
    Item(
        kind=Kind.CLOUD_INIT_FILES,
        what="settings that cloud-init wrote, and its lines of fstab",
        files=(
            "/etc/netplan/50-cloud-init.yaml",
            "/etc/NetworkManager/system-connections/cloud-init-*",
            "/etc/NetworkManager/conf.d/99-cloud-init.conf",
            "/etc/NetworkManager/conf.d/30-cloud-init-ip6-addr-gen-mode.conf",
            "/etc/systemd/network/10-cloud-init-*",
            "/etc/network/interfaces.d/50-cloud-init.cfg",
            "/etc/ssh/sshd_config.d/50-cloud-init.conf",
            "/etc/sudoers.d/90-cloud-init-users",
            "/etc/fstab",
        ),
        why="the network is pinned to an old MAC address, boot waits for an old disk, users of old",
    ),
    Item(
        kind=Kind.DHCP,
        what="leases and identifiers of DHCP clients",
        files=(
            "/var/lib/dhcp",
            "/var/lib/dhclient",
            "/var/lib/dhcpcd",
            "/var/lib/wicked",
            "/var/lib/NetworkManager/*lease*",
            "/var/lib/NetworkManager/secret_key",
            "/etc/dhcpcd.duid",
        ),
        why="clones get one address",
    ),
    Item(
        kind=Kind.INTERFACES,
        what="interfaces pinned to hardware: udev rules, HWADDR, UUID and host name of ifcfg "
        "files, uuid of NetworkManager's",
        files=(
            "/etc/udev/rules.d/70-persistent-net.rules",
            "/etc/sysconfig/network-scripts/ifcfg-*",
            "/etc/sysconfig/network/ifcfg-*",
            "/etc/NetworkManager/system-connections/*.nmconnection",
        ),
        why="no network on other hardware",
    ),
    Item(
        kind=Kind.NAMES,
        what="the machine's name; its entries in hosts, the others stay",
        files=("/etc/hostname", "/etc/HOSTNAME", "/etc/machine-info", "/etc/hosts"),
        why="wrong name",
    ),
    Item(
        kind=Kind.RESOLVER,
        what="name servers in a plain file; the link of systemd-resolved is restored",
        files=("/etc/resolv.conf",),
        why="the build cloud's resolver elsewhere",
    ),
    Item(
        kind=Kind.SWAP,
        what="swap files, and their lines of fstab",
        files=("/swapfile", "/swap.img", "/etc/fstab"),
        why="size",
    ),
    Item(
        kind=Kind.EXTRA_DISKS,
        what="mounted disks other than the root's: unmounted",
        files=("/proc/mounts",),
        why="clones have none, or others",
    ),
    Item(
        kind=Kind.STORAGE_IDS,
        what="names of this machine in storage networks",
        files=(
            "/etc/lvm/devices/system.devices",
            "/etc/iscsi/initiatorname.iscsi",
            "/etc/nvme/hostid",
            "/etc/nvme/hostnqn",
            "/etc/multipath/wwids",
        ),
        why="two machines under one name, volumes that are not found",
    ),
    Item(
        kind=Kind.AGENTS,
        what="registrations: subscription-manager, SUSEConnect, zypper, Docker, snapd",
        files=(
            "/etc/pki/consumer/*",
            "/etc/SUSEConnect",
            "/etc/zypp/credentials.d/SCCcredentials",
            "/var/lib/zypp/AnonymousUniqueId",
            "/etc/docker/key.json",
            "/var/lib/docker/engine-id",
            "/var/lib/snapd/assertions/asserts-v0/serial",
            "/var/lib/snapd/device/private-keys-v1/*",
        ),
        why="many machines under one registration",
        may_stay=True,
    ),
    Item(
        kind=Kind.BUILD_ONLY,
        what="files that only the build needs, as the recipe names them: proxies, mirrors",
        files=(),
        why="what they name cannot be reached later",
    ),
    Item(
        kind=Kind.HISTORY,
        what="what people typed, in every home",
        files=("~/.bash_history", "~/.*_history", "~/.lesshst", "~/.viminfo"),
        why="leak",
        evidence=True,
    ),
    Item(
        kind=Kind.KNOWN_HOSTS,
        what="host keys that were met, in every home; /etc/ssh/ssh_known_hosts stays",
        files=("~/.ssh/known_hosts", "~/.ssh/known_hosts.old"),
        why="leak; addresses are given anew to other machines",
        may_stay=True,
    ),
    Item(
        kind=Kind.CORES,
        what="core dumps and crash reports",
        files=("/var/crash", "/var/lib/systemd/coredump", "/var/spool/abrt", "/var/tmp/abrt"),  # noqa: S108
        why="leak, size",
        evidence=True,
    ),
    Item(
        kind=Kind.MAIL,
        what="local mail",
        files=("/var/mail", "/var/spool/mail"),
        why="leak",
    ),
    Item(
        kind=Kind.ACCOUNT_BACKUPS,
        what="older versions of the account files",
        files=(
            "/etc/passwd-",
            "/etc/group-",
            "/etc/shadow-",
            "/etc/gshadow-",
            "/etc/subuid-",
            "/etc/subgid-",
        ),
        why="leak: passwords that were changed",
    ),
    Item(
        kind=Kind.TEMPORARY_FILES,
        what="temporary files; our own script's folder goes by itself",
        files=("/tmp", "/var/tmp"),  # noqa: S108
        why="size",
        evidence=True,
    ),
    Item(
        kind=Kind.JOURNAL,
        what="systemd's journal",
        files=("/var/log/journal",),
        why="size, leak, misleading evidence",
        evidence=True,
    ),
    Item(
        kind=Kind.LOGS,
        what="logs: rotated ones go, the others (wtmp, btmp, lastlog, audit) are truncated, and "
        "may have 16 KiB again when looked at",
        files=("/var/log",),
        why="size, leak, misleading evidence",
        evidence=True,
    ),
    Item(
        kind=Kind.RANDOM_SEED,
        what="random seed; systemd-random-seed is stopped first, as its stop writes it",
        files=(
            "/var/lib/systemd/random-seed",
            "/var/lib/urandom/random-seed",
            "/var/lib/misc/random-seed",
            "/boot/efi/loader/random-seed",
            "/boot/loader/random-seed",
            "/efi/loader/random-seed",
        ),
        why="shared seed",
    ),
    Item(
        kind=Kind.CREDENTIALS,
        what="the key of systemd's encrypted credentials",
        files=("/var/lib/systemd/credential.secret",),
        why="shared secret",
        may_stay=True,
    ),
    Item(
        kind=Kind.MACHINE_ID,
        what='machine id: the word "uninitialized", or no file without systemd',
        files=("/etc/machine-id", "/var/lib/dbus/machine-id"),
        why="identity, DHCP, units of the first boot",
    ),
    Item(
        kind=Kind.HOST_KEYS,
        what="SSH host keys",
        files=("/etc/ssh/ssh_host_*",),
        why="one key for all",
    ),
    Item(
        kind=Kind.LOGIN_KEYS,
        what="the build's own key and all that launchers let in, wherever sshd looks for keys; "
        "other keys stay",
        files=("~/.ssh/authorized_keys", "~/.ssh/authorized_keys2", "AuthorizedKeysFile of sshd"),
        why="they open every clone",
    ),
)

#: What is asserted on a clone, beside its identity and :attr:`Kind.SECRET`.
CLONE_KINDS: Final = (
    Kind.LOGIN_KEYS,
    Kind.USER_DATA,
    Kind.JOURNAL_RECOVERY,
    Kind.DISK_NOT_GROWN,
    Kind.PACKAGE_TOOL,
    Kind.FAILED_UNITS,
)


#: What a take-home image keeps of its machine.
EVIDENCE: Final = frozenset(item.kind for item in CHECKLIST if item.evidence)


def quiet_kinds(kept: Iterable[Kind] = ()) -> tuple[Kind, ...]:
    """Return the kinds of the checklist in their order, without those in *kept*.

    Raises:
        ValueError: A kind in *kept* may not stay.
    """
    left_out = frozenset(kept)
    refused = left_out - EVIDENCE - {item.kind for item in CHECKLIST if item.may_stay}
    if refused:
        may = ", ".join(item.kind for item in CHECKLIST if item.may_stay)
        raise ValueError(f"{', '.join(sorted(refused))} cannot stay in an image; these can: {may}")
    return tuple(item.kind for item in CHECKLIST if item.kind not in left_out)


def say(residues: Iterable[Residue], shown_max: int = 3) -> str:
    """Return one sentence that names the first *shown_max* residues; empty if there is none."""
    found = tuple(residues)
    if not found:
        return ""
    more = len(found) - shown_max
    named = ", ".join(str(one) for one in found[:shown_max])
    return f"not quiet: {named}" + (f", and {more} more" if more > 0 else "")
