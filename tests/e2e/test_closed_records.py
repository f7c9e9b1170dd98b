"""Records that a stranger has closed, of every kind: a launcher that starts among them serves."""

import pytest
from kazoo.security import make_digest_acl

from remuda.store import paths
from requestor import connect
from tests.support.badrecords import DOCS, PLACES, raw_of
from tests.support.stage import open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

#: What no launcher can do without is told in test_access; of a single record it is known that it
#: is there.
KINDS = [kind for kind, place in PLACES.items() if not paths.must_be_open(place)]
STRANGER = [make_digest_acl("stranger", "secret", all=True)]


def test_a_launcher_that_starts_among_closed_records_serves(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Those of others, and those of a provider that is none of ours."""
    with open_stage(tmp_path_factory, "closed") as stage:
        stage.cloud("a")
        stage.provider("here", "a")
        for kind in KINDS:
            stage.zk.ensure_path(PLACES[kind].rpartition("/")[0])
        # Nothing is made below what is closed.
        for kind in sorted(KINDS, key=lambda one: -PLACES[one].count("/")):
            if stage.zk.exists(PLACES[kind]):
                stage.zk.set_acls(PLACES[kind], STRANGER)
            else:
                stage.zk.create(PLACES[kind], raw_of(DOCS[kind]), acl=STRANGER)
        stage.launcher("here")
        with connect(stage.server.hosts) as client, client.request("small", deadline_s=120) as got:
            assert len(got) == 1
