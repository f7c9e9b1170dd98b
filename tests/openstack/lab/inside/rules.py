"""What is to go wrong: a file of rules, read again whenever it changes.

Each rule of ``faults.json`` either strikes API requests:

    service  keystone|placement|glance|neutron|swift|nova (default: any)
    method   regular expression, such as "POST|DELETE"    (default: any)
    path     regular expression, searched in PATH?QUERY   (default: any)
    internal true: also calls between the services        (default: only users' calls)
    times    stop after so many                           (default: no limit)
    delay    seconds to wait before the request is handled
    status   answer with this HTTP status (and "body", "headers")
    drop     true: close the connection without any answer
    late     true: let the service handle the request first, then apply status or drop
    garble   "request" or "answer": one byte of that body arrives as another
    cut      end the connection after so many bytes of the answer's body
    shift    seconds: a new token's times, as a Keystone whose clock is so far ahead tells them

or servers that boot:

    boot      {"spawn": "fail"}: the knobs of labvirt.py, for servers that carry none themselves
    metadata  {"remuda_label": "odd"}: only servers with all of this metadata
    times     stop after so many servers

The first rule that matches is applied. Hits are counted per process and version of the file, and
noted in ``faults.log``.
"""

import json
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Rule = dict[str, Any]
_NO_LIMIT = 1 << 60
#: Between themselves the services use sessions that name themselves.
_INTERNAL = re.compile(
    r"^(openstack-nova|nova|neutron|glance|placement|python-\w+client)|keystonemiddleware"
)


class Rules:
    """The rules of one process."""

    def __init__(self, state: Path) -> None:
        self._file = state / "faults.json"
        self._log = state / "faults.log"
        self._version: tuple[int, int] | None = None
        self._rules: list[Rule] = []
        self._lock = threading.Lock()

    def for_request(self, service: str, environ: Mapping[str, Any]) -> Rule | None:
        """Return the rule that strikes this request, and count it."""
        url = f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')}"
        internal = is_internal(environ)

        def strikes(rule: Rule) -> bool:
            return (
                "boot" not in rule
                and rule.get("service", service) == service
                and (not internal or bool(rule.get("internal")))
                and re.fullmatch(rule.get("method", ".*"), environ["REQUEST_METHOD"]) is not None
                and re.search(rule.get("path", ""), url) is not None
            )

        return self._draw(strikes, f"{environ['REQUEST_METHOD']} {url}")

    def for_boot(self, name: str, metadata: Mapping[str, str]) -> Mapping[str, str]:
        """Return the knobs that a booting server gets, and count it."""

        def strikes(rule: Rule) -> bool:
            wanted = rule.get("metadata", {})
            return "boot" in rule and all(metadata.get(k) == v for k, v in wanted.items())

        rule = self._draw(strikes, f"boot {name}")
        return {} if rule is None else rule["boot"]

    def _draw(self, strikes: Any, what: str) -> Rule | None:
        with self._lock:
            self._read()
            for rule in self._rules:
                if rule["hits"] < rule.get("times", _NO_LIMIT) and strikes(rule):
                    rule["hits"] += 1
                    self._note(rule, what)
                    return rule
        return None

    def _read(self) -> None:
        try:
            stat = self._file.stat()
        except OSError:
            self._version, self._rules = None, []
            return
        version = (stat.st_mtime_ns, stat.st_ino)
        if version != self._version:
            self._version = version
            try:
                self._rules = [{**rule, "hits": 0} for rule in json.loads(self._file.read_text())]
            except ValueError:
                self._rules = []

    def _note(self, rule: Rule, what: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{rule.get('id', '-')}\t{what}\n")


def is_internal(environ: Mapping[str, Any]) -> bool:
    """Return whether one service of the lab calls another."""
    agent = environ.get("HTTP_USER_AGENT", "")
    return bool(_INTERNAL.search(agent) or environ.get("HTTP_X_SERVICE_TOKEN"))
