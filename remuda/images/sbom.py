"""What is in a build as a bill of materials: CycloneDX 1.6, with a package URL for each package.

Pure, and the same for the same records: it is made when somebody asks for it, and the statement of
the build has the hash of the list that it is made of. What steps have fetched without a package
tool is not in it, which it says itself.
"""

import string
import uuid
from collections.abc import Iterator
from typing import Any, Final

import remuda
from remuda.images.inventory import Inventory, Package
from remuda.images.statement import INTERNAL, Statement, part_of, subject_in

SPEC: Final = "1.6"
#: How CycloneDX calls them, and how many digits they have.
_HASHES: Final = {
    "md5": ("MD5", 32),
    "sha1": ("SHA-1", 40),
    "sha256": ("SHA-256", 64),
    "sha512": ("SHA-512", 128),
}
#: Of package URLs: what is written as it is; all else is percent-encoded.
_PLAIN: Final = frozenset(f"{string.ascii_letters}{string.digits}-._~:")
_KINDS: Final = frozenset({"deb", "rpm", "apk", "alpm"})


def make_sbom(statement: Statement, inventory: Inventory) -> dict[str, Any]:
    """Return the packages of a build as a CycloneDX document.

    Args:
        statement: Of that build; it says which system is in it, and is text of others.
        inventory: What was installed.
    """
    subject = subject_in(statement.doc)
    name, _, number = _text(part_of(subject, "name")).rpartition("/")
    kind, system, version = (
        _text(part_of(statement.doc, *INTERNAL, "system", key))
        for key in ("packages", "id", "version")
    )
    distro = f"{system}-{version}" if system and version else ""
    whole = f"{name}/{number}"
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, statement.digest)}",
        "version": 1,
        "metadata": {
            "timestamp": _text(
                part_of(statement.doc, "predicate", "runDetails", "metadata", "finishedOn")
            ),
            "tools": {
                "components": [
                    {"type": "application", "name": "remuda", "version": remuda.__version__}
                ]
            },
            "component": {
                "type": "operating-system",
                "bom-ref": whole,
                "name": name,
                "version": number,
                "hashes": list(_hashes(part_of(subject, "digest"))),
                "properties": [
                    {"name": "remuda:statement:sha256", "value": statement.digest},
                    {"name": "remuda:inventory:sha256", "value": inventory.digest},
                ],
            },
        },
        "components": [
            *([{"type": "operating-system", "name": system, "version": version}] if distro else []),
            *(_component(one, kind, system, distro) for one in inventory.packages),
        ],
        # What steps fetched without a package tool is in no list.
        "compositions": [{"aggregate": "incomplete", "assemblies": [whole]}],
    }


def purl(package: Package, kind: str, system: str, distro: str) -> str | None:
    """Return the package URL of a package, or None if its kind is not known.

    Args:
        package: Its name, with its architecture as its own tool writes it, and its version.
        kind: Of the packages: deb, rpm, apk or alpm.
        system: ``ID`` of the distribution; empty: not known, as *distro*.
        distro: The same with its version.
    """
    if kind not in _KINDS:
        return None
    name, version = package
    qualifiers = {"distro": distro}
    if kind == "deb":
        name, _, qualifiers["arch"] = name.partition(":")
    elif kind == "rpm":
        name, _, arch = name.rpartition(".")
        qualifiers["arch"] = "" if arch == "(none)" else arch
        epoch, _, rest = version.rpartition(":")
        qualifiers["epoch"], version = epoch, rest
    namespace = f"{_quoted(system.lower())}/" if system else ""
    asked = "&".join(f"{key}={_quoted(one)}" for key, one in sorted(qualifiers.items()) if one)
    end = f"?{asked}" if asked else ""
    # Names of rpm are case-sensitive; the others are written in small letters anyway.
    return f"pkg:{kind}/{namespace}{_quoted(name)}@{_quoted(version)}{end}"


def _component(package: Package, kind: str, system: str, distro: str) -> dict[str, Any]:
    name, version = package
    found = purl(package, kind, system, distro)
    component = {"type": "library", "bom-ref": found or f"{name}@{version}"}
    component |= {"name": name.partition(":")[0] if kind == "deb" else name, "version": version}
    return component if found is None else {**component, "purl": found}


def _hashes(digest: object) -> Iterator[dict[str, str]]:
    told = digest if isinstance(digest, dict) else {}
    for name, value in sorted(told.items()):
        if name in _HASHES and len(_text(value)) == _HASHES[name][1]:
            yield {"alg": _HASHES[name][0], "content": _text(value)}


def _quoted(text: str) -> str:
    return "".join(
        one if one in _PLAIN else "".join(f"%{byte:02X}" for byte in one.encode()) for one in text
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
