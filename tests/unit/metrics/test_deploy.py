"""Alerts and dashboard use metrics and labels that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from builder.command import builder
from launcher.command import launcher
from remuda.metrics.metric import MetricKind
from remuda.metrics.names import METRICS

ROOT = Path(__file__).resolve().parents[3]
ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/remuda.json"
#: What documents name beside metrics: our keys in records of others, and tags of servers.
KEYS = {
    *(
        "remuda_booted_build",
        "remuda_capsule",
        "remuda_capture",
        "remuda_hold",
        "remuda_image",
        "remuda_job",
        "remuda_reasons",
    ),
    *("remuda_report", "remuda_unfit"),
}
#: Labels that Prometheus itself adds.
SCRAPED = {"instance", "job", "le"}


def series() -> dict[str, set[str]]:
    """Return what Prometheus stores: the name of each series with its labels."""
    known: dict[str, set[str]] = {}
    for metric in METRICS:
        suffixes = ("_bucket", "_sum", "_count") if metric.kind is MetricKind.HISTOGRAM else ("",)
        for suffix in suffixes:
            known[metric.name + suffix] = {*metric.labels, *SCRAPED}
    return known


def alerts() -> list[dict[str, Any]]:
    """Return all alert rules."""
    doc = yaml.safe_load(ALERTS.read_text())
    return [rule for group in doc["groups"] for rule in group["rules"]]


def expressions() -> Iterator[Any]:
    """Yield every PromQL expression, with where it stands."""
    for rule in alerts():
        yield pytest.param(rule["expr"], id=rule["alert"])
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


@pytest.mark.parametrize("expression", list(expressions()))
def test_expressions_use_what_is_declared(expression: str) -> None:
    """Names of series, labels that are selected, labels that are grouped by."""
    known = series()
    used = re.findall(r"\b(remuda_\w+)(?:{([^}]*)})?", expression)
    assert used
    everywhere: set[str] = set()
    for name, selector in used:
        assert name in known
        everywhere |= known[name]
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector)) <= known[name]
    for grouped in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        assert {word.strip() for word in grouped.split(",") if word.strip()} <= everywhere


@pytest.mark.parametrize("expression", list(expressions()))
def test_brackets_close(expression: str) -> None:
    """The least that can be said without Prometheus."""
    for opening, closing in ("()", "{}", "[]"):
        assert expression.count(opening) == expression.count(closing)


def test_every_alert_says_what_to_do() -> None:
    """An alert that leaves one alone at night is noise."""
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]


def test_images_have_their_alerts() -> None:
    """Too old or of no known age, builds that fail, what builders say, and no builder at all."""
    names = {rule["alert"] for rule in alerts()}
    wanted = {"RemudaImageOld", "RemudaImageBuildsFail", "RemudaImageAlarm", "RemudaNoBuilder"}

    assert {*wanted, "RemudaImageDateAhead"} <= names


def test_documents_name_metrics_that_exist() -> None:
    """Whoever copies a name into a query of their own gets an answer."""
    texts = [file.read_text() for file in (ROOT / "docs").glob("*.md")]
    named = {name for text in texts for name in re.findall(r"`(remuda_[a-z_]+)`", text)}

    assert named - series().keys() - {metric.name for metric in METRICS} <= KEYS


def test_the_dashboard_shows_every_metric() -> None:
    """What is measured can be seen."""
    text = DASHBOARD.read_text()
    assert [metric.name for metric in METRICS if metric.name not in text] == []


@pytest.mark.parametrize(
    ("file", "command"), [("remuda-launcher@", launcher), ("remuda-builder", builder)]
)
def test_units_call_commands_with_options_they_have(file: str, command: click.Command) -> None:
    """A renamed option would be found at the next boot of a production host."""
    unit = (ROOT / f"deploy/systemd/{file}.service").read_text()
    pattern = rf"^ExecStart=\S+/remuda {command.name} (.*)$"
    (line,) = re.findall(pattern, unit, re.MULTILINE)
    known = {option for param in command.params for option in param.opts}
    environment = {"TMPDIR", *(param.envvar for param in command.params if param.envvar)}

    assert set(re.findall(r"--[a-z-]+", line)) <= known
    assert set(re.findall(r"^Environment=(\w+)=", unit, re.MULTILINE)) <= environment


def test_panels_do_not_overlap() -> None:
    """Ids are unique, and nobody sits on another's place."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert len({panel["id"] for panel in panels}) == len(panels)
