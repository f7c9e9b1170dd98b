"""What every process checks in the same way."""

import pytest

from remuda.config.model import Config
from remuda.frame.checks import check_installation, unready
from remuda.membership.attendance import Attendance
from remuda.membership.installation import InstallationError


def config(installation: str | None) -> Config:
    """Return one that demands an installation, or none."""
    pools = {"main": {"labels": {"small": {"image": "debian", "flavor": "tiny"}}}}
    return Config.model_validate(
        {
            "installation": installation,
            "labels": {"small": {}},
            "providers": {"here": {"cloud": "here", "pools": pools}},
        }
    )


@pytest.mark.parametrize("pinned", [None, "us"])
def test_a_configuration_of_the_same_installation_is_taken(pinned: str | None) -> None:
    """Also one that demands none."""
    check_installation(config(pinned), "tester", "us")


def test_a_process_does_not_become_another_installations() -> None:
    """It would take the servers of the one for those of the other."""
    with pytest.raises(InstallationError, match="this tester began as installation 'us'"):
        check_installation(config("them"), "tester", "us")


def test_a_process_is_not_ready_before_it_knows_what_is_there() -> None:
    """First there must be a connection, then everything must be read, and we be seen."""
    attendance = Attendance(roots=frozenset({"/a"}))
    reasons = [unready(attendance)]
    attendance.connected = True
    attendance.was_registered()
    reasons.append(unready(attendance))
    attendance.synced.add("/a")

    assert [one and (one.ok, one.reason) for one in reasons] == [
        (False, "no connection to ZooKeeper"),
        (False, "reading what is in ZooKeeper"),
    ]
    assert unready(attendance) is None
