"""An inspector of the fake cloud: what it tells is set by the test."""

from remuda.cloud.inspection import (
    AccountIdentity,
    CloudRight,
    FloatingRoom,
    Permission,
    SecurityGroup,
    SeenNetwork,
    Service,
    Told,
)
from tests.fakes.cloud import FakeCloud

ADA = AccountIdentity(
    user="ada",
    project="ci",
    project_id="p1",
    auth_url="https://keystone.example.org/v3",
    user_domain="Default",
    project_domain="Default",
    roles=("member", "reader"),
    region="R1",
    endpoints={one: f"https://{one}.example.org" for one in Service},
)


class FakeInspector:
    """See :class:`remuda.cloud.inspection.Inspector`.

    ``cloud.fail`` works for its methods, too.

    Attributes:
        skew_s: How far the cloud's clock is ahead; None: it does not tell its time.
    """

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud
        self.who = ADA
        self.skew_s: float | None = 0.0
        self.groups: list[SecurityGroup] = [SecurityGroup(id="g1", name="default")]
        self.keys: list[str] = ["ops"]
        self.room: FloatingRoom | None = FloatingRoom(limit=cloud.floating.most, used=0)
        self.told: dict[CloudRight, Permission] = {
            CloudRight.CREATE: Permission(told=Told.YES),
            CloudRight.DELETE: Permission(told=Told.UNTOLD),
            CloudRight.SNAPSHOT: Permission(told=Told.UNTOLD),
        }
        self.external: list[SeenNetwork] = [
            SeenNetwork(id="n-public", name="public", external=True, usable=False)
        ]

    def identity(self) -> AccountIdentity:
        """Return who the test says we are."""
        self.cloud._begin("identity")
        return self.who

    def ping(self, service: Service) -> float | None:
        """Return the cloud's time, cut to a second as a Date header is."""
        self.cloud._begin(f"ping {service}")
        return None if self.skew_s is None else float(int(self.cloud.clock.now_s() + self.skew_s))

    def networks(self) -> tuple[SeenNetwork, ...]:
        """Return the cloud's networks and the external ones."""
        self.cloud._begin("networks")
        names = self.cloud.networks or ("private",)
        return (*(SeenNetwork(id=f"n-{one}", name=one) for one in names), *self.external)

    def security_groups(self) -> tuple[SecurityGroup, ...]:
        """Return the groups."""
        self.cloud._begin("security_groups")
        return tuple(self.groups)

    def key_pairs(self) -> tuple[str, ...]:
        """Return the names."""
        self.cloud._begin("key_pairs")
        return tuple(self.keys)

    def floating_room(self) -> FloatingRoom | None:
        """Return the quota."""
        self.cloud._begin("floating_room")
        return self.room

    def may(self, right: CloudRight) -> Permission:
        """Return what the test says."""
        self.cloud._begin("may")
        return self.told[right]
