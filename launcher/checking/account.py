"""The account itself: login, time, latencies, and whose servers are there."""

import functools
import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from launcher.checking.findings import Area, Findings, State, advice_for
from launcher.checking.means import Means
from remuda.cloud.api import CloudError, Server
from remuda.cloud.inspection import AccountIdentity, Service
from remuda.model import tags

#: Of each kind of call so many are timed; the median of three survives one outlier.
ROUNDS: Final = 3
#: A launcher lists every few seconds; a cloud this slow delays every node by its answers.
SLOW_S: Final = 2.0
#: The Date header has whole seconds, so less than this is nothing.
SKEW_WARNING_S: Final = 5.0
#: Tokens and certificates are judged wrongly when clocks are this far apart.
SKEW_PROBLEM_S: Final = 120.0
_HALF_SECOND_S: Final = 0.5


def check_login(means: Means, out: Findings) -> AccountIdentity | None:
    """Log in; None if that is not possible, and nothing else is either."""
    begun_s = means.clock.monotonic_s()
    try:
        who = means.inspector.identity()
    except CloudError as exc:
        out.problem(Area.LOGIN, "login", str(exc), advice_for(exc))
        return None
    seconds = means.clock.monotonic_s() - begun_s
    place = who.region or "the first region"
    roles = ", ".join(who.roles) or "no known role"
    out.ok(
        Area.LOGIN,
        "login",
        f"user {_named(who.user, who.user_domain)} ({roles}) of project"
        f" {_named(who.project, who.project_domain)} in {place} at {who.auth_url}",
    )
    for service in Service:
        if service in who.endpoints:
            out.ok(Area.LOGIN, f"{service} endpoint", who.endpoints[service])
        else:
            out.problem(
                Area.LOGIN,
                f"{service} endpoint",
                f"the catalogue has no {service} service in {place}",
                "correct the provider's region, or region_name and interface in clouds.yaml",
            )
    out.facts["identity"] = {
        "user": who.user,
        "user_domain": who.user_domain,
        "project": who.project,
        "project_id": who.project_id,
        "project_domain": who.project_domain,
        "roles": list(who.roles),
        "region": who.region,
        "auth_url": who.auth_url,
        "endpoints": dict(who.endpoints),
        "token_expires_at_s": who.expires_s,
    }
    out.facts["latencies"] = [_latency("login", [seconds])]
    return who


def _named(name: str, domain: str | None) -> str:
    return f"{name}@{domain}" if domain else name


def check_time(means: Means, out: Findings) -> None:
    """Time one cheap call per service, and compare the cloud's clock with ours."""
    skews: list[float] = []

    def ping(service: Service) -> None:
        begun_s = means.clock.now_s()
        told_s = means.inspector.ping(service)
        middle_s = (begun_s + means.clock.now_s()) / 2
        if told_s is not None:
            skews.append(told_s + _HALF_SECOND_S - middle_s)

    for service in Service:
        _timed(means, out, Area.LATENCY, f"{service} call", functools.partial(ping, service))
    skew_s = min(skews, key=abs) if skews else None
    out.facts["time_skew_s"] = None if skew_s is None else round(skew_s, 1)
    if skew_s is None:
        out.untested(Area.TIME, "clock", "the cloud does not tell its time")
        return
    text = f"the cloud's clock is {abs(skew_s):.1f} s {'ahead' if skew_s > 0 else 'behind'}"
    advice = "set the clocks (NTP) of this host and of the cloud's controllers"
    if abs(skew_s) > SKEW_PROBLEM_S:
        out.problem(Area.TIME, "clock", text, advice)
    elif abs(skew_s) > SKEW_WARNING_S:
        out.warning(Area.TIME, "clock", text, advice)
    else:
        out.ok(Area.TIME, "clock", "the cloud's clock and ours agree")


def check_servers(means: Means, out: Findings) -> tuple[Server, ...] | None:
    """List the servers, tell whose they are; None if that is not possible."""
    found: tuple[Server, ...] | None = None

    def listing() -> None:
        nonlocal found
        found = means.cloud.list_servers()

    _timed(means, out, Area.SERVERS, "list servers", listing)
    if found is None:
        return None
    provider = means.policy.provider
    owners = [one.owner for server in found if (one := tags.read(server.tags)) is not None]
    ours = Counter(one.installation for one in owners if one.provider == provider)
    checks = ours.pop(tags.TRIALS, 0)
    others = len(found) - ours.total() - checks
    out.facts["servers"] = {"ours": ours.total(), "others": others, "of_checks": checks}
    text = f"{ours.total()} of this provider, {others} of others"
    if len(ours) > 1:
        out.warning(
            Area.SERVERS,
            "servers",
            f"{text}; those of this provider belong to {len(ours)} installations of Remuda",
            "give each installation a project or a provider name of its own, else they share"
            " one quota without knowing of each other",
        )
    else:
        out.ok(Area.SERVERS, "servers", text)
    if checks:
        out.warning(
            Area.SERVERS,
            "earlier checks",
            f"{checks} servers were made by a check that goes on or was killed",
            "if none goes on: a launcher, or the next `remuda cloud check --boot`, removes them"
            " an hour after launch-timeout",
        )
    return found


def check_latencies(out: Findings) -> None:
    """Judge the times that were measured."""
    latencies: list[dict[str, Any]] = out.facts.get("latencies", [])
    for one in latencies:
        times = f"{one['median_s'] * 1000:.0f} ms (median of {one['calls']})"
        if one["median_s"] > SLOW_S:
            out.warning(
                Area.LATENCY,
                one["operation"],
                times,
                "ask the cloud's operator why it is so slow; a longer list-period and"
                " api-timeout keep nodes from failing for it",
            )
        else:
            out.ok(Area.LATENCY, one["operation"], times)


def _timed(
    means: Means, out: Findings, area: Area, operation: str, call: Callable[[], None]
) -> None:
    """Make a call a few times and note how long it took; one refusal is enough."""
    seconds: list[float] = []
    before = out.count(State.PROBLEM)
    for _ in range(ROUNDS):
        with out.guarded(area, operation):
            begun_s = means.clock.monotonic_s()
            call()
            seconds.append(means.clock.monotonic_s() - begun_s)
        if out.count(State.PROBLEM) > before:
            break
    if seconds:
        out.facts.setdefault("latencies", []).append(_latency(operation, seconds))


def _latency(operation: str, seconds: list[float]) -> dict[str, Any]:
    return {
        "operation": operation,
        "calls": len(seconds),
        "median_s": round(statistics.median(seconds), 4),
        "max_s": round(max(seconds), 4),
    }
