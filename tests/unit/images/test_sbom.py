"""Bills of materials: package URLs, and documents that others read."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.images.inventory import WORD, take
from remuda.images.sbom import make_sbom, purl
from remuda.images.statement import PREDICATE, TYPE, Statement, of_doc
from tests.support.statementschema import SBOM


def statement(**system: str) -> Statement:
    """Return what is stated of a build of a system."""
    return of_doc(
        {
            "_type": TYPE,
            "predicateType": PREDICATE,
            "subject": [
                {"name": "tools/42", "digest": {"sha512": "0" * 128, "glanceImageId": "x"}}
            ],
            "predicate": {
                "buildDefinition": {"internalParameters": {"system": system}},
                "runDetails": {"metadata": {"finishedOn": "2026-11-30T16:00:00.000000Z"}},
            },
        },
        complete=True,
    )


@pytest.mark.parametrize(
    ("kind", "package", "system", "distro", "url"),
    [
        (
            "deb",
            ("openssl:amd64", "3.0.15-1~deb12u1"),
            "debian",
            "debian-12",
            "pkg:deb/debian/openssl@3.0.15-1~deb12u1?arch=amd64&distro=debian-12",
        ),
        (
            "deb",
            ("git:amd64", "1:2.39+x"),
            "debian",
            "",
            "pkg:deb/debian/git@1:2.39%2Bx?arch=amd64",
        ),
        ("deb", ("tzdata", "1"), "", "", "pkg:deb/tzdata@1"),
        (
            "rpm",
            ("vim.x86_64", "2:9.0-1"),
            "Fedora",
            "Fedora-41",
            "pkg:rpm/fedora/vim@9.0-1?arch=x86_64&distro=Fedora-41&epoch=2",
        ),
        ("rpm", ("gpg-pubkey.(none)", "a-b"), "rhel", "", "pkg:rpm/rhel/gpg-pubkey@a-b"),
        ("apk", ("musl", "1.2-r2"), "alpine", "", "pkg:apk/alpine/musl@1.2-r2"),
        ("alpm", ("pacman", "7.0-1"), "arch", "", "pkg:alpm/arch/pacman@7.0-1"),
        ("", ("a", "1"), "debian", "debian-12", None),
    ],
)
def test_a_package_has_a_url(
    kind: str, package: tuple[str, str], system: str, distro: str, url: str | None
) -> None:
    """As scanners look it up, with what their own tools call architecture and epoch."""
    assert purl(package, kind, system, distro) == url


def test_a_bill_is_one_that_others_read() -> None:
    """The same for the same records; it says itself that it does not know everything."""
    one = statement(id="debian", version="12", packages="deb")
    found = take([("git:amd64", "1:2"), ("zlib1g:amd64", "1")])
    bill = make_sbom(one, found)

    jsonschema.validate(bill, SBOM)
    assert json.dumps(bill) == json.dumps(make_sbom(one, found))
    assert [each["name"] for each in bill["components"]] == ["debian", "git", "zlib1g"]
    whole = bill["metadata"]["component"]
    assert (whole["name"], whole["version"]) == ("tools", "42")
    assert [each["alg"] for each in whole["hashes"]] == ["SHA-512"]
    assert bill["compositions"][0]["aggregate"] == "incomplete"


def test_a_machine_that_does_not_say_what_it_is_has_a_bill() -> None:
    """Without URLs, for nobody could look them up."""
    bill = make_sbom(statement(), take([("git", "1")]))

    jsonschema.validate(bill, SBOM)
    assert [sorted(one) for one in bill["components"]] == [["bom-ref", "name", "type", "version"]]


WORDS = st.from_regex(WORD, fullmatch=True)


@given(st.lists(st.tuples(WORDS, WORDS), max_size=5), st.sampled_from(["deb", "rpm", "apk", "x"]))
def test_every_list_makes_a_bill(packages: list[tuple[str, str]], kind: str) -> None:
    """Names and versions are words of a machine, and may be any."""
    named = [(f"a{name}.b", f"1{version}0") for name, version in packages]
    bill = make_sbom(statement(id="debian", version="12", packages=kind), take(named))

    assert len({one.get("bom-ref") for one in bill["components"]}) <= len(bill["components"])
    assert json.loads(json.dumps(bill)) == bill
