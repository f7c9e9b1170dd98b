"""Every alert fires in the fault that it is for, and keeps silent in its healthy twin.

The series are written as promtool writes them: ``1+2x3`` is 1, 3, 5, 7; one value each minute.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.support import promtool
from tests.support.source import ROOT

RULES: Final = ROOT / "deploy/prometheus/alerts.yaml"
#: Long enough for every ``for``, and for the ranges of most rules.
_MINUTES: Final = 180
#: What a healthy fleet says, whatever else is the matter.
_THERE: Final = {'remuda_build_info{instance="a", job="r", version="1"}': "1x180"}


@dataclass(frozen=True)
class Case:
    """Series by name, with their values."""

    faulty: dict[str, str]
    healthy: dict[str, str]
    minutes: int = _MINUTES


def _histogram(name: str, labels: str, *, slow: bool) -> dict[str, str]:
    """Return the series of a histogram whose observations are all fast, or all slow."""
    fast = "0x180" if slow else "0+10x180"
    return {
        f'{name}_bucket{{{labels}, le="0.5"}}': fast,
        f'{name}_bucket{{{labels}, le="14400"}}': "0+10x180",
        f'{name}_bucket{{{labels}, le="+Inf"}}': "0+10x180",
    }


def _pair(series: str, faulty: str, healthy: str, *, minutes: int = _MINUTES) -> Case:
    return Case({series: faulty}, {series: healthy}, minutes)


_READY: Final = 'remuda_nodes{provider="p", pool="m", label="s", state="ready"}'
_MIN: Final = 'remuda_min_ready{label="s"}'
_WAITS: Final = 'remuda_oldest_request_age{provider="p", label="s"}'
_BUILDING: Final = 'remuda_oldest_launch_age{provider="p", label="s"}'
_LAUNCHED: Final = 'remuda_launches_total{provider="p", pool="m", label="s", az="z", result="%s"}'
_HANDS: Final = 'remuda_hands_busy{instance="a"}'
_BUILT: Final = 'remuda_image_builds_total{image="i", provider="p", result="failed.recipe"}'

CASES: Final[dict[str, Case]] = {
    "RemudaRequestsWaitLong": Case(
        _histogram("remuda_request_wait_seconds", 'provider="p", label="s"', slow=True),
        _histogram("remuda_request_wait_seconds", 'provider="p", label="s"', slow=False),
    ),
    "RemudaRequestStarves": _pair(_WAITS, "0+60x180", "0 60 120 0x177"),
    "RemudaNothingReady": Case(
        {_READY: "0x180", _MIN: "2x180", _WAITS: "0+60x180"},
        # Nobody keeps any in stock of the other, and one wait of it is as long as a boot.
        {_READY: "0x180", _MIN: "0x180", _WAITS: "0+60x180"},
    ),
    "RemudaStockShort": Case({_READY: "1x180", _MIN: "2x180"}, {_READY: "2x180", _MIN: "2x180"}),
    "RemudaHandoutSlow": Case(
        _histogram("remuda_handout_seconds", 'provider="p"', slow=True),
        _histogram("remuda_handout_seconds", 'provider="p"', slow=False),
    ),
    "RemudaProviderDown": _pair('remuda_provider_trouble{provider="p"}', "1x180", "0 1 1 0x177"),
    "RemudaLabelBroken": _pair(
        'remuda_label_broken{provider="p", label="s"}', "1x180", "0 1x5 0x170"
    ),
    "RemudaLaunchesFail": Case(
        {_LAUNCHED % "ready": "0+1x180", _LAUNCHED % "error.ssh": "0+3x180"},
        {_LAUNCHED % "ready": "0+3x180", _LAUNCHED % "error.ssh": "0+1x180"},
    ),
    "RemudaMachinesDoNotCome": _pair(_BUILDING, "0+60x180", "0 60 120 0x177"),
    "RemudaCloudSlow": Case(
        _histogram(
            "remuda_cloud_call_seconds", 'provider="p", operation="x", outcome="ok"', slow=True
        ),
        _histogram(
            "remuda_cloud_call_seconds", 'provider="p", operation="x", outcome="ok"', slow=False
        ),
    ),
    "RemudaDeletionStuck": _pair(
        'remuda_nodes{provider="p", pool="m", label="s", state="deleting"}', "20x180", "20 0x179"
    ),
    "RemudaLeaks": _pair('remuda_leaked_total{provider="p", kind="instances"}', "0+1x180", "0x180"),
    "RemudaPoolFull": Case(
        {
            'remuda_pool_use{provider="p", pool="m", resource="cores"}': "8x180",
            'remuda_pool_limit{provider="p", pool="m", resource="cores"}': "8x180",
            'remuda_addressable_requests{provider="p", pool="m"}': "1x180",
        },
        {
            'remuda_pool_use{provider="p", pool="m", resource="cores"}': "8x180",
            'remuda_pool_limit{provider="p", pool="m", resource="cores"}': "8x180",
            'remuda_addressable_requests{provider="p", pool="m"}': "0x180",
        },
    ),
    "RemudaImageAlarm": _pair('remuda_image_alarms{image="i"}', "1x180", "0 1 0x178"),
    "RemudaImageOld": Case(
        {
            'remuda_image_age{image="i", provider="p"}': "0+60x180",
            'remuda_image_age_limit{image="i"}': "3600x180",
        },
        {
            'remuda_image_age{image="i", provider="p"}': "0+60x180",
            'remuda_image_age_limit{image="i"}': "86400x180",
        },
    ),
    "RemudaImageDateAhead": _pair(
        'remuda_image_age{image="i", provider="p"}', "-90000+60x180", "-300+60x180"
    ),
    "RemudaImageBuildsFail": _pair(_BUILT, "0 1 2 3 4x176", "0 1x179"),
    "RemudaNoBuilder": Case(
        {'remuda_images_configured{provider="p"}': "1x180"},
        {
            'remuda_images_configured{provider="p"}': "1x180",
            'remuda_image_alarms{image="i"}': "0x180",
        },
    ),
    "RemudaGone": Case({"up": "0x180"}, {}),
    "RemudaProcessDown": Case(
        {
            'up{instance="b", job="r"}': "1x60 0x120",
            'remuda_build_info{instance="b", job="r", version="1"}': "1x60",
        },
        # What is down there was never ours.
        {'up{instance="b", job="r"}': "0x180", 'up{instance="a", job="r"}': "1x180"},
    ),
    "RemudaReplicaMissing": _pair('remuda_replicas{provider="p"}', "2x60 1x120", "1x60 2x120"),
    "RemudaConfigRejected": _pair('remuda_config_rejected{instance="a"}', "1x180", "1 1 1 0x177"),
    "RemudaStoreAway": _pair('remuda_store_connected{instance="a"}', "0x180", "1x180"),
    "RemudaSessionsLost": _pair('remuda_sessions_lost_total{instance="a"}', "0+1x180", "0 1 1x178"),
    "RemudaHandCrashes": _pair('remuda_hand_crashes_total{action="x"}', "0+1x180", "3x180"),
    "RemudaRecordErrors": _pair('remuda_record_errors_total{kind="x"}', "0+1x180", "3x180"),
    "RemudaHandsBusy": Case(
        {_HANDS: "8x180", 'remuda_hands{instance="a"}': "8x180"},
        {_HANDS: "8x9 7 8x9 7 8x9 7 8x9 7x140", 'remuda_hands{instance="a"}': "8x180"},
    ),
}

needs_promtool = pytest.mark.skipif(
    promtool.find() is None, reason="needs promtool: deploy/fetch-promtool.sh, or make test"
)


def _names() -> set[str]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"] for group in groups for rule in group["rules"]}


def _test(name: str, series: dict[str, str], minutes: int, *, fires: bool) -> dict[str, object]:
    there = {} if name == "RemudaGone" and fires else _THERE
    # At any time: what is over again must not have woken anybody.
    alerts = f'ALERTS{{alertname="{name}", alertstate="firing"}}'
    ever = f"count(last_over_time({alerts}[{minutes}m])) > bool 0"
    return {
        "interval": "1m",
        "name": f"{name} {'fires' if fires else 'is silent'}",
        "input_series": [
            {"series": one, "values": values} for one, values in {**there, **series}.items()
        ],
        "promql_expr_test": [
            {
                "expr": ever,
                "eval_time": f"{minutes}m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


def test_each_alert_has_its_fault_and_its_healthy_twin() -> None:
    """A new one without them would be believed until the first night that it is needed."""
    assert set(CASES) == _names()


@needs_promtool
def test_prometheus_can_read_the_rules() -> None:
    """Of the version that Debian has."""
    code, said = promtool.run("check", "rules", RULES, cwd=RULES.parent)

    assert code == 0, said


@needs_promtool
@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "is silent"])
def test_alerts(name: str, fires: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """As Prometheus itself judges them, three hours on."""
    case = CASES[name]
    test = _test(name, case.faulty if fires else case.healthy, case.minutes, fires=fires)
    doc = {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}
    file = tmp_path / "alerts_test.yaml"
    file.write_text(yaml.safe_dump(doc))

    code, said = promtool.run("test", "rules", file, cwd=tmp_path)

    assert code == 0, said
