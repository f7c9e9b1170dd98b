"""How each shell block of README and docs is tried: carried out, or why not."""

from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a block's commands are carried out in a folder of `remuda dev`.

    Attributes:
        before: Commands that make what the page takes for granted.
        instead: What is replaced in the text: names of the page's site by those of `remuda dev`.
        codes: Exit codes other than 0, by a part of the command.
        until: What commands that would go on for ever have printed when they are stopped, by a
            part of the command.
        whole: The block is one script.
        needs: A command without which it cannot be tried.
    """

    before: tuple[str, ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    codes: dict[str, int] = field(default_factory=dict)
    until: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    needs: str = ""


#: Ids in examples; the test makes a node and a request, and fills them in.
_NODE: Final = ("3000000042", "{node}")
_REQUEST: Final = ("200-0000000017", "{request}")
#: Machines of the sandbox are minimal: they have no make, and no tox.
_MAKE: Final = ("-- make test", "-- ./run-tests.sh")
_CLOUD: Final = (
    ("check east", "check alpha"),
    ("sweep east", "sweep alpha"),
    (" --config /etc/remuda/remuda.yaml", ""),
)

CARRIED_OUT: Final[dict[str, Way]] = {
    "README.md: remuda config check remuda.yaml": Way(
        instead=(("--provider east", "--provider alpha"),),
        until={"remuda launcher": "launcher.started"},
    ),
    "README.md: remuda run small -- ./run-tests.sh": Way(
        instead=(_NODE, _REQUEST, ("-- make", "-- ./run-tests.sh"), ("./run", "/bin/true ./run")),
        until={"--watch": "STATE"},
    ),
    "docs/cli.md: remuda run small -- make test": Way(
        instead=(("-- make test", "-- true"), ("src:/srv/src -- make", "src:src -- ls")),
        codes={"tox": 127},
    ),
    "docs/cli.md: # Kept until the script ends, however it ends:": Way(
        instead=(
            ('ssh -p "$port"', 'ssh -i "$REMUDA_IDENTITY" -o StrictHostKeyChecking=no -p "$port"'),
            ("make test", "true"),
        ),
        whole=True,
    ),
    "docs/cli.md: remuda image list": Way(
        instead=(("debian-ci/12", "tools/1"), ("debian-ci", "tools")),
    ),
    "docs/cli.md: remuda cloud check east": Way(instead=_CLOUD),
    "docs/cli.md: remuda cloud sweep east": Way(
        instead=(*_CLOUD, ("--confirm", "--confirm --yes"))
    ),
    "docs/cli.md: remuda dev --dir ./try": Way(
        instead=(("./try.json &", "./try.json"), ("up.json &", "up.json")),
        until={"remuda dev": "Ctrl-C"},
    ),
    "docs/diagnosis.md: remuda autohold add --label small": Way(),
    "docs/archive.md: remuda run small --archive results": Way(
        instead=(("mycloud:", "cloud-a:"), ("-- ./run-tests.sh", "-- mkdir results")),
    ),
    "docs/cloud-check.md: remuda cloud check east --config /etc/remuda/remuda.yaml": Way(
        instead=_CLOUD, needs="jq"
    ),
    "docs/images/first-use.md: remuda image list": Way(instead=(("py313", "tools"),)),
    "docs/images/canary.md: remuda image list": Way(
        codes={"promote": 1, "withdraw": 1},  # nothing newer is there, and none is tried
    ),
    "docs/images.md: remuda config check remuda.yaml": Way(
        until={"remuda builder": "builder.started"}
    ),
    "docs/images/provenance.md: remuda image provenance tools/42": Way(
        instead=(("tools/42", "tools/{current}"),),
    ),
    "docs/images/provenance.md: openssl genpkey": Way(needs="openssl"),
    'docs/images.md: remuda image rollback tools --why "no mirror"': Way(
        instead=(
            ("tools/41", "tools/{previous}"),
            ("tools/42", "tools/{current}"),
            ("tools/43", "tools/{current}"),
        ),
        before=("remuda image build tools --wait",),
        codes={"promote": 1},  # of what was revoked before
    ),
    "docs/images/offline.md: remuda image show tools/42": Way(
        instead=(("tools/42", "tools/{current}"), ("--provider north", "--provider alpha")),
        before=("remuda image build tools --wait",),
    ),
    "docs/images/differences.md: remuda image diff tools/41 tools/42": Way(
        instead=(("tools/41", "tools/{previous}"), ("tools/42", "tools/{current}")),
        before=("remuda image build tools --wait",),
    ),
}

NOT_CARRIED_OUT: Final[dict[str, str]] = {
    "README.md: make demo": "tests/e2e/test_demo.py runs the demo; `make test` is this",
    "docs/benchmarks.md: make bench": "takes minutes, and a machine of its own; run by hand",
    "docs/chaos.md: make chaos": "takes minutes; tests/chaos is the short form in `make test`",
    "docs/chaos.md: python -m tests.chaos.judge": "reads what a run of chaos has left",
    "docs/configuration.md: $ remuda config check remuda.yaml": (
        "shows what is said of a mistake: tests/unit/config/test_reference.py"
    ),
    "docs/diagnosis.md: remuda hold 3000000001 --reason": (
        "tests/e2e/test_keys.py does so, with a job that still has its machine"
    ),
    "docs/diagnosis.md: remuda hold 3000000001 --snapshot": (
        "tests/e2e/test_dev_diagnosis.py does so, in `remuda dev` with a failed job"
    ),
    "docs/diagnosis.md: remuda open 3000000001": (
        "tests/e2e/test_dev_diagnosis.py does so, with the image of a failed job"
    ),
    "docs/images/capture.md: remuda request setup": (
        "tests/e2e/test_capture.py does so, with an image that may be captured"
    ),
    "docs/images/from-a-command.md: remuda image build tiny --wait": (
        "needs diskimage-builder; tests/e2e/test_file_images.py does so, with a command of its own"
    ),
    "docs/openstack-lab.md: make openstack-lab": "a real OpenStack: `make test-openstack` runs it",
    "docs/operations.md: $ openstack application credential create remuda": (
        "needs a real Keystone and python-openstackclient; the credential of the sandbox has the"
        " same rules"
    ),
    "docs/sandbox.md: python -m sandbox --clouds-yaml ./clouds.yaml": (
        "tests/sandbox starts it so, and `remuda dev` does"
    ),
    "docs/sandbox.md: export OS_CLOUD=sandbox": (
        "needs python-openstackclient, which is no part of the tests; tests/sandbox does the same"
        " with openstacksdk"
    ),
    "docs/sandbox.md: curl": "shows what is said of a mistake: tests/sandbox/test_control.py",
}
