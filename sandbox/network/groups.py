"""Security groups: kept, shown, not enforced."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.config import stable_id
from sandbox.network.state import NetworkState
from sandbox.network.tables import Row, Table
from sandbox.web.errors import ApiError


class SecurityGroups:
    """The groups of a region; every project has a ``default`` one, made when first looked at."""

    def __init__(self, state: NetworkState) -> None:
        self._state = state
        self.groups = Table(
            "security_group",
            "security_groups",
            ("SecurityGroupNotFound", "Security group {} does not exist"),
        )
        self.rules = Table(
            "security_group_rule",
            "security_group_rules",
            ("SecurityGroupRuleNotFound", "Security group rule {} does not exist"),
        )

    def ensure_default(self, project_id: str) -> Row:
        """Return the project's default group."""
        group_id = stable_id("group", self._state.region, project_id)
        if project_id and group_id not in self.groups.rows:
            self._add(group_id, project_id, "default", "Default security group")
        return self.groups.rows.get(group_id, {})

    def create(self, project_id: str, asked: Mapping[str, Any]) -> Row:
        """Add a group with the usual rules for outgoing traffic."""
        self._state.check_quota("security_group", self.groups, project_id)
        return self._add(
            str(uuid.uuid4()),
            project_id,
            str(asked.get("name", "")),
            str(asked.get("description", "")),
        )

    def _add(self, group_id: str, project_id: str, name: str, description: str) -> Row:
        group = self.groups.add(
            {
                "id": group_id,
                "name": name,
                "tenant_id": project_id,
                "project_id": project_id,
                "stateful": True,
                "shared": False,
                "security_group_rules": [],
                **self._state.stamps(),
                "description": description,
            }
        )
        for family in ("IPv4", "IPv6"):
            self.add_rule(
                project_id,
                {"security_group_id": group_id, "direction": "egress", "ethertype": family},
            )
        return group

    def add_rule(self, project_id: str, asked: Mapping[str, Any]) -> Row:
        """Add a rule to a group."""
        group = self.groups.get(str(asked.get("security_group_id", "")))
        direction = asked.get("direction")
        if direction not in ("ingress", "egress"):
            raise ApiError(
                400,
                f"Invalid input for direction. Reason: {direction!r} is not in"
                " ['ingress', 'egress'].",
                kind="HTTPBadRequest",
            )
        rule = self.rules.add(
            {
                "id": str(uuid.uuid4()),
                "tenant_id": project_id,
                "project_id": project_id,
                "security_group_id": group["id"],
                "direction": direction,
                "ethertype": asked.get("ethertype") or "IPv4",
                "protocol": asked.get("protocol"),
                "port_range_min": asked.get("port_range_min"),
                "port_range_max": asked.get("port_range_max"),
                "remote_ip_prefix": asked.get("remote_ip_prefix"),
                "remote_group_id": asked.get("remote_group_id"),
                "remote_address_group_id": None,
                "normalized_cidr": asked.get("remote_ip_prefix"),
                **self._state.stamps(),
            }
        )
        group["security_group_rules"].append(rule)
        return rule

    def drop_rule(self, rule_id: str) -> None:
        """Remove a rule."""
        rule = self.rules.get(rule_id)
        rows = self.groups.get(rule["security_group_id"])["security_group_rules"]
        rows[:] = [each for each in rows if each["id"] != rule_id]
        del self.rules.rows[rule_id]

    def drop(self, group_id: str) -> None:
        """Remove a group and its rules, unless a port uses it."""
        group = self.groups.get(group_id)
        if any(group_id in port["security_groups"] for port in self._state.ports.rows.values()):
            raise ApiError(409, f"Security Group {group_id} in use.", kind="SecurityGroupInUse")
        if group["name"] == "default":
            raise ApiError(
                409,
                "Insufficient rights for removing default security group.",
                kind="SecurityGroupCannotRemoveDefault",
            )
        for rule in list(group["security_group_rules"]):
            del self.rules.rows[rule["id"]]
        del self.groups.rows[group_id]

    def find(self, project_id: str, wanted: str) -> Row:
        """Return a project's group by name or id.

        Raises:
            ApiError: 404, in Neutron's words.
        """
        default = self.ensure_default(project_id)
        if wanted == "default":
            return default
        for row in self.groups.of_project(project_id):
            if wanted in (row["id"], row["name"]):
                return row
        return self.groups.get(wanted)
