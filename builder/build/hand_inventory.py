"""What is on a build machine, for whoever asks later what is in its image."""

from collections import Counter
from typing import Final

from builder.build import writes
from builder.log.progress import ProgressLog, say
from remuda.images.inventory import (
    PACKAGES_MAX,
    WORD,
    Inventory,
    ItemKind,
    MachineContents,
    Package,
    take,
)
from remuda.model.image import BuildId
from remuda.ssh.api import Script
from remuda.store import paths
from remuda.store.api import RejectedError, Store, StoreError
from remuda.visible import visible

_LIMIT_S: Final = 120.0
#: Some 20,000 packages.
_OUTPUT_BYTES_MAX: Final = 1024 * 1024
_END: Final = "remuda-packages"
#: Of a line: name and version.
_WORDS: Final = 2
#: Each one more means that the log of the build was begun, or erased, in between.
_ATTEMPTS_MAX: Final = 5

#: Prints a line for each package, its name with its architecture and its version, and how many
#: there are. A machine without any of these tools has none.
_LIST: Final = f"""\
#!/bin/sh
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
has() {{ command -v "$1" >/dev/null 2>&1; }}
list() {{
    if has dpkg-query; then
        dpkg-query -W -f '${{db:Status-Status}} ${{Package}}:${{Architecture}} ${{Version}}\\n' |
            sed -n 's/^installed //p'
    fi
    if has rpm; then
        rpm -qa --qf '%{{NAME}}.%{{ARCH}} %|EPOCH?{{%{{EPOCH}}:}}:{{}}|%{{VERSION}}-%{{RELEASE}}\\n'
    fi
    if has pacman && [ -d /var/lib/pacman ]; then pacman -Q; fi
    for file in /lib/apk/db/installed /usr/lib/apk/db/installed; do
        if [ -f "$file" ]; then
            sed -n 's/^[PV]://p' "$file" | while IFS= read -r name && IFS= read -r version; do
                printf '%s %s\\n' "$name" "$version"
            done
            break
        fi
    done
}}
found=$(list 2>/dev/null </dev/null)
printf '%s\\n' "$found"
printf '{_END} %s\\n' "$(printf '%s\\n' "$found" | grep -c .)"
exit 0
"""


def packages_script() -> Script:
    """Return the script that lists the packages of a machine."""
    return Script(
        name="packages", text=_LIST, timeout_s=_LIMIT_S, output_bytes_max=_OUTPUT_BYTES_MAX
    )


def read_packages(output: str) -> tuple[Package, ...] | None:
    """Return the packages that a machine has listed; None: the list is not whole."""
    lines = output.splitlines()
    last = lines.pop().split() if lines else []
    pairs = [line.split() for line in lines if line.strip()]
    if last != [_END, str(len(pairs))] or len(pairs) > PACKAGES_MAX:
        return None
    # A name that is none is no package that anybody could look for.
    good = [one for one in pairs if len(one) == _WORDS and all(map(WORD.fullmatch, one))]
    return tuple((name, version) for name, version in good)


def keep_inventory(
    store: Store,
    build_id: BuildId,
    packages: tuple[Package, ...],
    contents: MachineContents | None,
    log: ProgressLog,
) -> Inventory | None:
    """Write what is in a build beside its log; return it, None if nothing is known of it.

    Nobody's build fails for it: what cannot be written is said, and the hash is on record alone.
    """
    if not packages:
        say(log, "no packages: the machine has no package tool that we know")
    if not packages and contents is None:
        return None
    inventory = take(packages, contents)
    counts = Counter(one.kind for one in inventory.items)
    told = ", ".join(f"{counts[kind]} {kind}s" for kind in ItemKind if counts[kind])
    say(log, f"{told}, {inventory.digest[:12]}")
    try:
        _write(store, build_id, inventory)
    except StoreError as exc:
        say(log, f"the inventory is not kept: {visible(str(exc))}")
    return inventory


def _write(store: Store, build_id: BuildId, inventory: Inventory) -> None:
    log, listed = paths.image_log(build_id), paths.image_inventory(build_id)
    store.ensure(paths.image_logs(build_id.image))
    for again in range(_ATTEMPTS_MAX):
        above, there = store.read_fresh([log, listed])
        ops = writes.keep_inventory(build_id, inventory, log=above, there=there)
        try:
            store.commit(ops)
        except RejectedError:
            if again + 1 == _ATTEMPTS_MAX:
                raise
        else:
            return
