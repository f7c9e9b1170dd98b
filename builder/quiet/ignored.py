"""What tells two machines that were made alike, and no image from another: left out of inventories.

What is not in this list counts: a build that differs by something of no importance is uploaded,
which costs time; one that differs by something important and is taken for the same costs more.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from builder.quiet.kinds import CHECKLIST

_HOMES: Final = ("/root", "/home/*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Files that are left out.

    Attributes:
        patterns: Of their whole names; a ``*`` means slashes, too, and a folder all below it.
        why: Why two machines that were made alike differ in them, or why nobody misses them.
    """

    patterns: tuple[str, ...]
    why: str


#: Besides what quieting removes, or rewrites.
IGNORED: Final = (
    Ignored(
        patterns=("/proc", "/sys", "/dev", "/run", "/lost+found", "*/lost+found"),
        why="the kernel's, or a running machine's",
    ),
    Ignored(
        patterns=("/var/lib/apt/lists", "/var/cache/apt/*.bin", "/var/lib/command-not-found"),
        why="what could be installed, which mirrors sign anew several times a day",
    ),
    Ignored(
        patterns=(
            *("/var/lib/apt/periodic", "/var/lib/apt/daily_lock", "/var/cache/apt/archives/lock"),
            *("/var/cache/apt/archives/partial", "/var/lib/dpkg/lock*", "/var/lib/dpkg/triggers"),
            *("/var/lib/PackageKit", "/var/lib/update-notifier", "/var/lib/unattended-upgrades"),
        ),
        why="locks and stamps of package tools",
    ),
    Ignored(
        patterns=(
            *("/var/lib/dpkg/*-old", "/var/cache/debconf/*-old", "/var/backups"),
            *("/var/lib/ucf/*.[0-9]", "/etc/lvm/archive", "/etc/lvm/backup"),
        ),
        why="the state before the last change: it tells the way, not the result",
    ),
    Ignored(
        patterns=("/var/lib/rpm", "/usr/lib/sysimage/rpm", "/var/lib/pacman", "/lib/apk/db"),
        why="they hold when a package was installed; the packages are listed",
    ),
    Ignored(
        patterns=(
            *("/var/lib/dnf", "/var/lib/yum", "/var/cache/dnf/*/repodata"),
            *("/var/cache/dnf/*.solv*", "/var/cache/libdnf5", "/var/lib/zypp"),
            *("/var/cache/zypp/raw", "/var/cache/zypp/solv", "/var/cache/apk/APKINDEX*"),
        ),
        why="as the lists of apt, and histories",
    ),
    Ignored(
        patterns=("/var/cache/ldconfig", "/var/cache/man", "/var/cache/fontconfig"),
        why="indices with times and numbers of inodes, made anew from what they index",
    ),
    Ignored(
        patterns=("/var/lib/mlocate", "/var/lib/plocate", "/var/lib/locatedb"),
        why="the same, of names",
    ),
    Ignored(
        patterns=("*/__pycache__", "*.pyc"),
        why="they hold when their source was written, and are made anew from it",
    ),
    Ignored(
        patterns=("*/.git/index", "*/.git/logs", "*/.git/FETCH_HEAD"),
        why="times and numbers of inodes of files, and when somebody fetched",
    ),
    Ignored(
        patterns=("/boot/initrd*", "/boot/initramfs*", "/boot/grub*/grubenv"),
        why="archives with times, made from files that are counted; what happened at a boot",
    ),
    Ignored(
        patterns=("/etc/shadow", "/etc/gshadow", "/etc/.pwd.lock"),
        why="the day on which a password, or none, was set; accounts are counted by /etc/passwd",
    ),
    Ignored(
        patterns=(
            *("/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/ssl/certs/ssl-cert-snakeoil.pem"),
            *("/etc/ssl/certs/*.[0-9]", "/etc/ssl/certs/java/cacerts"),
        ),
        why="a certificate that each machine makes for itself, links by hashes, a store with times",
    ),
    Ignored(
        patterns=(
            *("/var/lib/systemd/timers", "/var/lib/systemd/timesync", "/var/lib/systemd/catalog"),
            *("/var/lib/systemd/rfkill", "/var/lib/systemd/backlight", "/var/lib/private"),
        ),
        why="stamps of timers, clocks, and an index with times",
    ),
    Ignored(
        patterns=("/etc/adjtime", "/var/lib/chrony", "/var/lib/ntp*", "/var/spool/anacron"),
        why="drift of a clock, and when something last ran",
    ),
    Ignored(
        patterns=("/var/lib/logrotate", "/var/lib/NetworkManager", "/var/lib/fwupd"),
        why="when something last ran, and what a machine has met",
    ),
    Ignored(
        patterns=("/etc/popularity-contest.conf", "/var/lib/snapd/state.json"),
        why="an id of the machine, and times",
    ),
)


def ignored_patterns() -> tuple[str, ...]:
    """Return the patterns of all that is left out, each once: of the checklist, and the list."""
    quieted = (name for item in CHECKLIST if item.mended for name in item.files)
    listed = (name for one in IGNORED for name in one.patterns)
    return tuple(dict.fromkeys((*_named(quieted), *listed)))


def _named(files: Iterator[str]) -> Iterator[str]:
    for name in files:
        if name.startswith("/"):
            yield name
        elif name.startswith("~/"):
            yield from (f"{home}{name[1:]}" for home in _HOMES)
