"""No secret that a machine, a cloud or a file says ever leaves a launcher.

Planted: what the launcher itself knows (the password of clouds.yaml, its token, its key file, a
machine's host key, ZooKeeper's password, what stands in user data and scripts), printed without any
word that would give it away, and values that only their surroundings give away, in every form that
is looked for. They are looked for in everything that is written: every znode, every log line, the
status pages, and what the commands print.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from launcher.node.hand_proving import ProvingHands
from launcher.node.probing import ProbeTarget
from remuda.cli.context import CommandContext
from remuda.cli.explaining import explain
from remuda.cli.failures import failures
from remuda.cli.overview import nodes, pools, requests, status
from remuda.cloud.account import AccountSettings, load_region
from remuda.cloud.api import BadOrderError, CloudError, TryLaterError
from remuda.config.loader import load, read
from remuda.known_secrets import KNOWN
from remuda.model.ids import NodeId
from remuda.runtime.inbox import Inbox
from remuda.ssh.api import Proof, ProofSpec
from remuda.ssh.keyfile import load_key
from remuda.store.configured import store_options
from requestor.client import Client
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.cloud_fates import Boot, BootEnd
from tests.fakes.prover import Exit, FakeProver, Machine
from tests.fakes.store import FakeZookeeper
from tests.support.soloist import Soloist

CLOUD, STORE, TOKEN, DATA, SCRIPT, ENVIRONMENT = (
    "kw-of-the-cloud",
    "kw-of-zookeeper",
    "kw-token-of-keystone",
    "kw-in-user-data",
    "kw-in-the-script",
    "kw-of-environment",
)
#: Nothing around these says what they are: they must be known.
KNOWN_VALUES: Final = (CLOUD, STORE, TOKEN, DATA, SCRIPT, ENVIRONMENT)
#: Only their form, or what stands around them, says what these are: {} is the secret.
FORMS: Final = (
    *("OS_PASSWORD={}", "export AWS_SECRET_ACCESS_KEY='{}'", "api_key={}", "apikey: {}"),
    *("x-api-key: {}", "X-Auth-Token: {}", "GITHUB_TOKEN={}", 'token: "{}"', "adminPass={}"),
    *("curl -u admin:{} https://x", "curl --user 'admin:{}' x", "mysql --password {}"),
    *("mysql -h db -u root -p{} app", "mariadb-dump -p'{}' x", "sshpass -p {} ssh host"),
    *("--db-password={}", "Authorization: Bearer {}", "authorization: Basic {}", "Cookie: s={}"),
    *("https://admin:{}@cloud.example/v3", "https://x/?access_token={}&a=b", '"password": "{}"'),
    *("{{'password': '{}'}}", '{{\\"secret\\": \\"{}\\"}}', "password: |\n    {}", "password: {}"),
    *("password=\x1b[31m{}\x1b[0m", "\x1b[1mOS_PASSWORD\x1b[0m={}", "echo root:{} | chpasswd"),
    *("client_secret => {}", "passphrase = {}", "PRIVATE_KEY={}"),
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
)
#: Whole tokens, recognised by themselves.
TOKENS: Final = (
    "ghp_" + "Zq9" * 12,
    "glpat-" + "Zq9_" * 6,
    "AKIA" + "ZQ93" * 4,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJacTkifQ.Zq9Zq9Zq9Zq9Zq9",
    "gAAAAAB" + "Zq9-" * 20,
    "$6$salt$" + "Zq9." * 20,
)
CONFIG: Final = f"""
zookeeper: {{hosts: ["zk:2181"], auth: "${{ZK_AUTH}}"}}
clouds-file: clouds.yaml
labels:
  small:
    min-ready: 0
    recheck: null
    setup: {{inline: "#!/bin/sh\\nREGISTRY_TOKEN={SCRIPT} docker login\\n"}}
    checks: [{{name: own, script: {{inline: "#!/bin/sh\\ntrue\\n"}}}}]
providers:
  here:
    cloud: good
    list-period: 2
    launch-attempts: 2
    launch-timeout: 30
    boot-timeout: 20
    ssh-key-file: key
    pools:
      main:
        max-servers: 2
        labels:
          small:
            image: debian-12
            flavor: small
            console-log: true
            instance-properties: {{api_key: "${{OTHER_SECRET}}"}}
            user-data: |
              #cloud-config
              chpasswd:
                list: |
                  root:{DATA}
"""


def said(secret: str = "") -> str:
    """Return a text with everything planted; *secret* stands in the forms."""
    lines = [f"see {value} there" for value in KNOWN_VALUES]
    lines += [f"\x1b[32m{value}\x1b[0m" for value in KNOWN_VALUES]
    lines += [form.format(secret or f"Pl4nt{number:02d}xyz") for number, form in enumerate(FORMS)]
    return "\n".join([*lines, *TOKENS, "the end"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the configuration, clouds.yaml and a key, and everything read once."""
    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "clouds.yaml").write_text(
        "clouds: {good: {auth: {auth_url: 'http://127.0.0.1:1/v3', username: u, "
        f"password: {CLOUD}, project_name: x}}}}}}"
    )
    (tmp_path / "clouds.yaml").chmod(0o600)
    (tmp_path / "remuda.yaml").write_text(CONFIG)
    monkeypatch.setenv("ZK_AUTH", f"remuda:{STORE}")
    monkeypatch.setenv("OTHER_SECRET", ENVIRONMENT)
    config = load(tmp_path / "remuda.yaml")
    store_options(config.zookeeper)
    load_region(AccountSettings(cloud="good", clouds_file=str(tmp_path / "clouds.yaml")))
    load_key(str(tmp_path / "key"))
    KNOWN.note([TOKEN])  # as remuda.cloud.account does with each; its own test says so
    return tmp_path


class LoudCloud(FakeCloud):
    """A cloud whose consoles say everything, host keys and our own key too."""

    loud = ""

    def console_log(self, server: str, *, lines_max: int = 200) -> str:  # type: ignore[override]
        """Return what was planted, as a serial console does."""
        del server, lines_max
        return self.loud.replace("\n", "\r\n")


class LoudProver(FakeProver):
    """Machines whose scripts fail and print everything, or a prover with a bug.

    Attributes:
        failing: The script that fails, everywhere; empty: none.
        says: What it prints.
        crash: The words of a bug of ours; ends the next proof.
    """

    failing = ""
    crash = ""
    greeting = ""
    says: Callable[[], str] = staticmethod(said)

    def prove(
        self,
        order: ProofSpec,
        *,
        stopped: Callable[[], bool] = lambda: False,
        deadline_s: float | None = None,
        login_by_s: float | None = None,
    ) -> Proof:
        """Crash, or fail, or do as ever."""
        if self.crash:
            text, self.crash = self.crash, ""
            raise ValueError(text)
        if self.failing:
            exits = {self.failing: Exit(code=1, output=self.says())}
            self.script(order.login.address, Machine(exits=exits))
        return super().prove(order, stopped=stopped, deadline_s=deadline_s, login_by_s=login_by_s)

    def probe(
        self,
        address: str,
        port: int,
        *,
        timeout_s: float = 3.0,
        host_keys: tuple[str, ...] = (),
    ) -> str | None:
        """Quote what greets instead of sshd."""
        usual = super().probe(address, port, timeout_s=timeout_s, host_keys=host_keys)
        return self.greeting or usual


class Scene:
    """A launcher, a request that it shall serve, and everything that is to be kept secret."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.zookeeper = FakeZookeeper(self.clock)
        self.cloud = LoudCloud(self.clock, boot_s=1.0)
        self.prover = LoudProver()
        self.key = (folder / "key").read_text()
        self.solo = Soloist(
            folder / "remuda.yaml", self.cloud, self.prover, self.clock, self.zookeeper
        )
        self.solo.play(4.0)
        self.request = Client(self.zookeeper.connect(), clock=self.clock).request("small")
        self.printed = ""

    def says(self, index: int = 0) -> str:
        """Return what a machine says that prints all that it was given."""
        orders = list(self.cloud.orders.values())
        given = (orders[index].user_data or "") if orders else ""
        wrapped = "\n".join(f"[  1.23] cloud-init[99]: {line}" for line in given.splitlines())
        return f"{said()}\n{self.key}\n{wrapped}"

    def everything(self) -> str:
        """Return all that was written, anywhere."""
        context = CommandContext(zookeeper="fake:2181", connect=lambda _: self.zookeeper.connect())
        failed = [
            path.rpartition("/")[2] for path in self.solo.stored() if "/failures/here/" in path
        ]
        calls = [(status,), (pools,), (nodes,), (requests,), (failures,)]
        calls += [(failures, one) for one in failed]
        calls += [(explain, self.request.id)]
        for command, *words in calls:
            for form in ((), ("--json",)):
                got = CliRunner().invoke(command, [*words, *form], obj=context)
                self.printed += got.output
        stored = "\n".join(f"{path} {data!r}" for path, data in self.solo.stored().items())
        return "\n".join(
            [stored, self.solo.log.getvalue(), self.solo.pages().decode(), self.printed]
        )

    def secrets(self) -> list[str]:
        """Return what must be nowhere."""
        forms = [f"Pl4nt{number:02d}xyz" for number in range(len(FORMS))]
        private = [self.key, *(_private(one.user_data or "") for one in self.cloud.orders.values())]
        lines = [line.strip() for text in private for line in text.splitlines()]
        keys = [line for line in lines if len(line) > 20 and not line.startswith("-----")]
        return [*KNOWN_VALUES, *TOKENS, *forms, *keys]


def _private(user_data: str) -> str:
    begin, end = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
    return user_data.partition(begin)[2].partition(end)[0].replace("\\n", "\n")


@pytest.fixture
def scene(folder: Path) -> Scene:
    """A launcher at work."""
    return Scene(folder)


def check(scene: Scene, *words: str) -> None:
    """Find nothing that is secret, but the traces of what was there."""
    text = scene.everything()
    shown = [one for one in scene.secrets() if one in text]
    assert shown == []
    assert "[redacted]" in text
    for word in words:
        assert word in text


@pytest.mark.parametrize("script", ["setup", "own"])
def test_what_a_failing_script_prints_is_redacted(scene: Scene, script: str) -> None:
    """In the evidence, the launch's why, verdicts, logs; also its last line."""
    scene.prover.failing = script
    scene.prover.says = lambda: f"{scene.says()}\nfatal: cannot use {CLOUD}"
    scene.solo.play(40.0)

    check(scene, "fatal: cannot use [redacted]", "FAILED after")
    assert len(_private(next(iter(scene.cloud.orders.values())).user_data or "")) > 100


def test_what_a_console_and_a_fault_say_is_redacted(scene: Scene) -> None:
    """Nova's words go into the launch's why, the report, verdicts and logs."""
    scene.cloud.loud = scene.says()
    scene.cloud.next_boots.extend([Boot(end=BootEnd.ERROR, fault=said())] * 6)
    scene.solo.play(1.0)
    scene.cloud.loud = scene.says()
    scene.solo.play(30.0)

    check(scene, "end of the console log")


@pytest.mark.parametrize("kind", [BadOrderError, TryLaterError, CloudError])
@pytest.mark.parametrize("call", ["create_server", "list_servers", "find_image", "delete_server"])
def test_what_a_cloud_answers_is_redacted(scene: Scene, call: str, kind: type[CloudError]) -> None:
    """In trouble, verdicts, statuses and logs."""
    scene.cloud.loud = "password=x1y2z3x1y2"
    scene.cloud.fail(call, *[kind(said()) for _ in range(30)])
    scene.cloud.next_boots.append(Boot(end=BootEnd.ERROR, fault="password=x1y2z3"))
    scene.solo.brain.world.cloud.survey_due_s = 0.0
    scene.solo.play(30.0)

    check(scene)


def test_a_crash_of_ours_says_nothing_of_it(scene: Scene) -> None:
    """A traceback quotes the error's words."""
    scene.prover.crash = scene.says()
    scene.solo.play(20.0)

    check(scene, "hand.crashed")


def test_a_knock_tells_nothing(scene: Scene) -> None:
    """Whatever greets instead of sshd is quoted."""
    scene.prover.greeting = said()
    hands = ProvingHands(scene.prover, lambda: False, ManualClock(), Inbox())

    told = hands.probe(
        NodeId("3000000001"), ProbeTarget(address="198.18.0.1", port=22, host_keys=()), begun_s=0.0
    ).why

    assert told is not None
    assert not [one for one in scene.secrets() if one in told]


def test_an_error_of_user_data_names_the_place_only(folder: Path) -> None:
    """The parser would quote the line it stumbles over."""
    path = folder / "remuda.yaml"
    broken = CONFIG.replace(
        "#cloud-config\n", "#cloud-config\n              strange: [Quoted9Words, 'and: [more\n"
    )
    path.write_text(broken)

    problems = " ".join(map(str, read(path).problems))

    assert "no YAML, at line" in problems
    assert "Quoted9Words" not in problems
    assert DATA not in problems


def test_a_broken_configuration_shows_no_password(folder: Path) -> None:
    """Neither a value of the wrong kind nor a name that the parser does not know."""
    (folder / "remuda.yaml").write_text("labels: {small: {password: *Pl4ntInAlias}}\n")

    problems = " ".join(map(str, read(folder / "remuda.yaml").problems))

    assert "undefined alias" in problems
    assert "Pl4nt" not in problems


def test_the_registry_prints_nothing() -> None:
    """Not even in a traceback that shows variables."""
    KNOWN.hold("here", ["s3cr3t-value-of-ours"])

    assert "s3cr3t" not in f"{KNOWN!r} {KNOWN}"
