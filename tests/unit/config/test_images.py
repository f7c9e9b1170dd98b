"""What is said of recipes that are wrong, all at once, each with its place."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from remuda.config.loader import Reading
from tests.support.recipes import LABELS, Says


def test_a_recipe_with_everything_is_good(reads: Callable[..., Reading], tmp_path: Path) -> None:
    """And is held as values."""
    (tmp_path / "fetch.sh").write_text("echo hi\n")
    (tmp_path / "caches").mkdir()
    (tmp_path / "token").touch(mode=0o600)
    reading = reads(
        LABELS
        + """\
      - name: fetch
        script: {file: fetch.sh, arguments: [--all], environment: {MODE: full}}
        timeout: 30m
        secrets: [PYPI, NPM]
      - {copy: {from: caches, to: /opt/caches, mode: 0644, owner: "root:root"}, timeout: 1m}
      - {packages: [git, 'libc6:i386', '@development-tools', g++], timeout: 10m}
      - {command: 'echo "${HOME}"', timeout: 10s}
    providers: {north: {pool: main}, south: {base: {match: 'noble-\\d+'}, copy-from: north}}
    username: ubuntu
    connection-port: 2222
    host-keys: scan
    config-drive: true
    environment: {http_proxy: "http://proxy.example.org:3128"}
    checks-before: [{disk: {free: 2GiB}}]
    checks: [{script: {inline: test -d /opt/caches}}]
    schedule: {cron: 30 2 * * *, time-zone: Europe/Berlin, jitter: 1h}
    rollout-window: {opens: 0 22 * * MON-FRI, lasts: 8h}
    keep: 3
    freshness: 3d
    paused: false
    secrets: {PYPI: {environment: PYPI_TOKEN}, NPM: {file: token}}
  child:
    base: {image: noble}
    flavor: m1.small
    default-steps: false
    steps: [{command: 'true', timeout: 1s}]
image-defaults:
  checks: [{dns: {name: git.example.org}}]
""",
    )

    assert reading.problems == ()
    assert [warning.path for warning in reading.warnings] == ["images.child"]
    assert reading.config is not None
    steps = reading.config.images["noble"].steps
    assert [step.timeout for step in steps] == [300, 1800, 60, 600, 10]
    assert steps[1].script is not None
    assert steps[1].script.text == "echo hi\n"
    assert steps[2].copied is not None
    assert (steps[2].copied.source, steps[2].copied.mode) == (str(tmp_path / "caches"), "0644")
    assert steps[4].command == 'echo "${HOME}"'
    assert reading.config.images["noble"].secrets["NPM"].file == str(tmp_path / "token")
    assert str(tmp_path / "fetch.sh") in reading.files
    assert str(tmp_path / "caches") in reading.files


def test_a_step_without_a_limit_or_of_two_kinds_or_none(told: Says) -> None:
    """A step that hangs would hold its machine for ever."""
    assert told(
        """\
      - command: make
      - {command: make, packages: [make], timeout: 1m}
      - {timeout: 1m, retries: 99}
      - {script: {inline: a, file: b}, timeout: 0}
      - {packages: [], timeout: 1m}
"""
    ) == [
        (
            "images.noble.steps[1].timeout: is missing; "
            "add timeout: time limit of each attempt; it is killed after this"
        ),
        "images.noble.steps[2]: has packages and command, which exclude each other: keep one",
        "images.noble.steps[3]: needs exactly one of script, copy, packages, command",
        "images.noble.steps[3].retries: 99 is out of range; must be at most 10",
        "images.noble.steps[4].script: has file and inline, which exclude each other: keep one",
        "images.noble.steps[4].script.file: 'b' does not exist; looked for in HERE",
        "images.noble.steps[4].timeout: 0 is out of range; must be more than 0s",
        "images.noble.steps[5].packages: is empty; at least one item is needed",
    ]


def test_problems_have_places(reads: Callable[..., Reading]) -> None:
    """All of several kinds at once."""
    reading = reads(
        LABELS + "    keep: 1\n    checks: [{dsk: {}}]\n    providers: {nroth: }\n",
    )

    assert [str(problem).split("config.yaml:", 1)[1] for problem in reading.problems] == [
        "20:11: images.noble.keep: 1 is out of range; must be at least 2",
        (
            "21:15: images.noble.checks[0].dsk: no such key; did you mean 'disk'? "
            "known here: clock, disk, dns, name, network, script, timeout"
        ),
        "22:17: images.noble.providers.nroth: no such provider; did you mean 'north'?",
    ]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            "{script: {file: gone.sh}, timeout: 1m}",
            "script.file: 'gone.sh' does not exist; looked for in HERE",
        ),
        (
            "{script: {file: folder}, timeout: 1m}",
            "script.file: 'folder' is a directory; looked for in HERE",
        ),
        (
            "{copy: {from: gone, to: /a}, timeout: 1m}",
            "copy.from: 'gone' does not exist; looked for in HERE",
        ),
        (
            "{copy: {from: folder, to: /a}, timeout: 1m}",
            (
                "copy.from: 'folder' holds 'out', which is a link that points outside; "
                "looked for in HERE"
            ),
        ),
        (
            "{copy: {from: node-key, to: a/b}, timeout: 1m}",
            "copy.to: 'a/b' is not an absolute path; write for example /opt/mirrors, without ..",
        ),
        (
            "{copy: {from: node-key, to: /a/../b}, timeout: 1m}",
            (
                "copy.to: '/a/../b' is not an absolute path; "
                "write for example /opt/mirrors, without .."
            ),
        ),
        (
            "{copy: {from: node-key, to: /a, mode: 0888}, timeout: 1m}",
            'copy.mode: \'0888\' is not a file mode; write for example "0644" or "0755"',
        ),
        (
            "{copy: {from: node-key, to: /a, mode: 644}, timeout: 1m}",
            'copy.mode: must be text, not 644; write it in quotes: "644"',
        ),
        (
            "{copy: {from: node-key, to: /a, owner: 'a b'}, timeout: 1m}",
            "copy.owner: 'a b' is not an owner; write USER or USER:GROUP",
        ),
        (
            "{copy: {to: /a}, timeout: 1m}",
            (
                "copy.from: is missing; add from: file or folder, relative to the configuration. "
                "Links within it must stay within it"
            ),
        ),
        (
            "{packages: [git, '-y'], timeout: 1m}",
            (
                "packages[1]: '-y' is not the name of a package; "
                "write for example git, libc6:i386 or '@development-tools'"
            ),
        ),
        (
            "{packages: ['a; reboot'], timeout: 1m}",
            (
                "packages[0]: 'a; reboot' is not the name of a package; "
                "write for example git, libc6:i386 or '@development-tools'"
            ),
        ),
        (
            "{script: {inline: a, environment: {9A: b}}, timeout: 1m}",
            (
                "script.environment: has '9A', which no environment variable can be called; "
                "use letters, digits and '_', no digit first"
            ),
        ),
        (
            "{script: {inline: a, environment: {REMUDA_NODE: b}}, timeout: 1m}",
            (
                "script.environment: has 'REMUDA_NODE', but names that begin with REMUDA_ are "
                "ours; choose another name"
            ),
        ),
        ("{command: '', timeout: 1m}", "command: is empty; write something, or leave the key out"),
        (
            "{command: a, timeout: 2d}",
            "timeout: '2d' is out of range; must be at most 1d",
        ),
        (
            "{command: a, timeout: 1m, secrets: [PYPI]}",
            "secrets[0]: no such secret; there are none",
        ),
        (
            "{packages: [a], timeout: 1m, secrets: [PYPI]}",
            "secrets: only scripts and commands get secrets; leave it out",
        ),
    ],
)
def test_a_step_that_is_wrong(told: Says, tmp_path: Path, step: str, said: str) -> None:
    """With what to write instead."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out").symlink_to("../node-key")
    problems = told(f"      - {step}\n")

    assert f"images.noble.steps[1].{said}" in problems
    assert all("secret" in one for one in problems[1:])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keep: 1", "keep: 1 is out of range; must be at least 2"),
        (
            "checks: [{dnz: {}}]",
            (
                "checks[0].dnz: no such key; did you mean 'dns'? "
                "known here: clock, disk, dns, name, network, script, timeout"
            ),
        ),
        (
            "checks-before: [{}]",
            "checks-before[0]: needs exactly one of disk, dns, network, clock, script",
        ),
        (
            "schedule: {cron: 0 0 30 2 *}",
            (
                "schedule.cron: '0 0 30 2 *' is not a cron expression, or never fires: "
                "bad day-of-month; write minute, hour, day, month, weekday: "
                "'30 2 * * *' or '0 4 * * MON-FRI'"
            ),
        ),
        (
            "schedule: {cron: '0 0 * * *', time-zone: Europe/Berlni}",
            "schedule.time-zone: 'Europe/Berlni' is not a time zone; did you mean 'Europe/Berlin'?",
        ),
        (
            "schedule: {cron: '0 0 * * *', max-age: 1d}",
            "schedule: has cron and max-age, which exclude each other: keep one",
        ),
        ("schedule: {jitter: 1h}", "schedule: needs exactly one of cron, max-age"),
        (
            "rollout-window: {opens: daily, lasts: 8h}",
            (
                "rollout-window.opens: 'daily' is not a cron expression: it has five fields; "
                "write minute, hour, day, month, weekday: '30 2 * * *' or '0 4 * * MON-FRI'"
            ),
        ),
        (
            "environment: {'A B': c}",
            (
                "environment: has 'A B', which no environment variable can be called; "
                "use letters, digits and '_', no digit first"
            ),
        ),
        (
            "providers: {nroth: }",
            "providers.nroth: no such provider; did you mean 'north'?",
        ),
        (
            "providers: {north: {pool: mian}}",
            "providers.north.pool: north has no such pool; did you mean 'main'?",
        ),
        (
            "providers: {north: {copy-from: north}}",
            "providers.north.copy-from: is the provider itself; leave it out to build there",
        ),
        (
            "providers: {north: {copy-from: south}}",
            "providers.north.copy-from: 'noble' is not made in 'south'; there are none",
        ),
        (
            "host-keys: ignore",
            "host-keys: 'ignore' is not one of the known words; known here: inject, scan",
        ),
    ],
)
def test_a_recipe_that_is_wrong(told: Says, line: str, said: str) -> None:
    """Each with its own words, and nothing said twice."""
    problems = told(f"    {line}\n")

    assert problems == [f"images.noble.{said}"]


def test_two_recipes_of_one_name(told: Says) -> None:
    """The second is not taken for the first."""
    assert told("  noble: {}\n") == [
        "images.noble: is written twice, first at line 15, column 3; keep one of them"
    ]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("hunter2", "is not where to find a secret; its value must not stand in this file"),
        (
            "{environment: hunter-2}",
            "must be the name of an environment variable, not the secret itself",
        ),
        (
            "{environment: '${HUNTER}'}",
            "must be the name of an environment variable, not the secret itself",
        ),
    ],
)
def test_a_secret_itself_is_refused_and_not_shown(
    reads: Callable[..., Reading], value: str, why: str
) -> None:
    """Whether it stands for where it is, or instead of the name of a variable."""
    reading = reads(
        LABELS.replace("as-root: true", "secrets: [PYPI]") + f"    secrets: {{PYPI: {value}}}\n",
        {"HUNTER": "hunter-2"},
    )

    (problem,) = reading.problems
    assert problem.message == why
    assert "hunter" not in str(problem)


def test_a_secret_that_is_nowhere_or_in_a_file_that_is_not_there(told: Says) -> None:
    """The value of the environment is not asked for: other hosts do not have it."""
    text = LABELS.replace("as-root: true", "secrets: [A, B]")

    assert told("    secrets: {A: {}, B: {file: gone}, C D: {environment: E}}\n", text) == [
        (
            "images.noble.secrets: has 'C D', which no environment variable can be called; "
            "use letters, digits and '_', no digit first"
        ),
        "images.noble.secrets.A: needs exactly one of environment, file",
        "images.noble.secrets.B.file: 'gone' does not exist; looked for in HERE",
    ]
    assert (
        told("    secrets: {A: {environment: NOT_SET}, B: {environment: NOR_THIS}}\n", text) == []
    )


def test_a_host_that_serves_one_provider_needs_none_of_the_files(
    reads: Callable[..., Reading], tmp_path: Path
) -> None:
    """They lie on the builders' hosts; what is copied is not even looked at."""
    (tmp_path / "tree").mkdir()
    os.mkfifo(tmp_path / "tree" / "pipe")
    more = """\
      - {script: {file: gone.sh}, timeout: 1m, secrets: [A]}
      - {copy: {from: tree, to: /a}, timeout: 1m}
    secrets: {A: {file: gone}}
"""
    here = reads(LABELS + more)
    there = reads(LABELS + more, provider="north")

    files = ["images.noble.steps[1].script.file", "images.noble.secrets.A.file"]
    assert [problem.path for problem in here.problems] == [
        files[0],
        "images.noble.steps[2].copy.from",
        files[1],
    ]
    assert there.problems == ()
    assert [warning.path for warning in there.warnings] == files


def test_a_tree_that_changes_makes_another_reading(
    reads: Callable[..., Reading], tmp_path: Path
) -> None:
    """So that a builder that reads its file again notices."""
    (tmp_path / "tree").mkdir()
    more = "      - {copy: {from: tree, to: /a}, timeout: 1m}\n"
    before = reads(LABELS + more).digest
    assert reads(LABELS + more).digest == before
    (tmp_path / "tree" / "file").touch()

    assert reads(LABELS + more).digest != before
