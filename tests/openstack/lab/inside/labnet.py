"""Neutron ML2 mechanism driver for networks on 127.0.0.0/8, and for one of servers' own.

Every address of the loopback already is local to the host, and a server with a network of its own
is wired by the hypervisor as it boots. So there is nothing to do here: a port is ACTIVE as soon
as it is bound to a compute host. A floating IP is a listener that forwards.
"""

import os
import threading
from typing import Any

from labforward import Forward
from neutron_lib import constants
from neutron_lib import context as neutron_context
from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.plugins import constants as plugins
from neutron_lib.plugins import directory
from neutron_lib.plugins.ml2 import api
from oslo_log import log as logging

LOG = logging.getLogger(__name__)


class LabMechanismDriver(api.MechanismDriver):
    """Binds every port, and forwards floating IPs."""

    def initialize(self) -> None:
        """Listen to what happens to floating IPs."""
        self.port = int(os.environ["LAB_SSH_PORT"])
        self.forwards: dict[str, Forward] = {}
        self.lock = threading.RLock()
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE):
            registry.subscribe(self.floating_ip, resources.FLOATING_IP, event)
        registry.subscribe(self.restore, resources.PROCESS, events.AFTER_INIT)

    @property
    def connectivity(self) -> str:
        """What Neutron asks of drivers."""
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: Any) -> None:
        """Bind to the first segment."""
        for segment in context.segments_to_bind:
            context.set_binding(
                segment[api.ID],
                portbindings.VIF_TYPE_OTHER,
                {},
                status=constants.PORT_STATUS_ACTIVE,
            )
            return

    def restore(self, _resource: Any, _event: Any, _trigger: Any, payload: Any = None) -> None:  # noqa: ARG002
        """Forward again, after a restart, what the database says."""
        plugin = directory.get_plugin(plugins.L3)
        for each in plugin.get_floatingips(neutron_context.get_admin_context()):
            self.forward(each["floating_ip_address"], each["fixed_ip_address"])

    def floating_ip(self, _resource: Any, event: Any, _trigger: Any, payload: Any = None) -> None:
        """Follow a change."""
        after = payload.latest_state
        gone = event == events.AFTER_DELETE
        fixed = None if gone else after.get("fixed_ip_address")
        status = constants.FLOATINGIP_STATUS_ACTIVE if fixed else constants.FLOATINGIP_STATUS_DOWN
        try:
            self.forward(after["floating_ip_address"], fixed)
            if not gone:
                # In the caller's session: a port's deletion holds the floating IP's row.
                directory.get_plugin(plugins.L3).update_floatingip_status(
                    payload.context.elevated(), after["id"], status
                )
        except Exception:  # Neutron would only swallow it
            LOG.exception("floating IP %s", after)

    def forward(self, outside: Any, inside: Any) -> None:
        """Let *outside* lead to *inside*, or nowhere."""
        with self.lock:
            old = self.forwards.get(str(outside))
            if old is not None and old.inside == str(inside):
                return
            if old is not None:
                del self.forwards[str(outside)]
                old.close()
            if inside:
                self.forwards[str(outside)] = Forward(str(outside), str(inside), self.port)
