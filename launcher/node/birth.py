"""How a node begins: what is to be made, and both of its records as they are first written.

Pure. Launchers and ``remuda cloud check --boot`` begin their nodes here, so that what is tried is
what will be made.
"""

from dataclasses import dataclass
from typing import Final

from launcher.node.actions import Intent
from launcher.policy import Key, Policy
from launcher.provider.cloud import Recipe
from remuda.membership.rendezvous import weight
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.model.image import UploadId
from remuda.model.launch import INJECT, Launch, Step
from remuda.model.node import Node, NodeState
from remuda.runtime.now import Now

#: Between the intent and its create call; a call that is not sent by then is never sent.
ASK_WITHIN_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNode:
    """An intent with the id that was drawn for it."""

    launch: Launch
    node: Node


def intend(
    policy: Policy,
    key: Key,
    recipe: Recipe,
    number: int,
    *,
    for_request: RequestId | None = None,
    on_account_of: RequestId | None = None,
    upload: UploadId | None = None,
    first_use: str | None = None,
    opened: NodeId | None = None,
    login_key: str | None = None,
) -> Intent:
    """Return what is to be made of a label in a pool.

    Args:
        policy: How nodes are made.
        key: Pool and label.
        recipe: What they are made of.
        number: Spreads the nodes of a key over the availability zones of its pool.
        for_request: The request that alone may have it; it is on its account, too.
        on_account_of: The request that it is started for, though another may get it.
        upload: The image of ours that it boots, or None.
        first_use: Fingerprint of the recipe that it runs before its setup, or None.
        opened: The node whose take-home image it boots, or None.
        login_key: Public line of the key that opens it for its builder, or None.
    """
    return Intent(
        pool=key[0],
        label=key[1],
        cores=recipe.flavor.cores,
        ram_mib=recipe.flavor.ram_mib,
        volume_gib=recipe.volume_gib,
        az=_zone(policy, key, number),
        for_request=for_request,
        on_account_of=for_request or on_account_of,
        upload=upload,
        first_use=first_use,
        opened=opened,
        login_key=login_key,
    )


def takes_host_key(policy: Policy, key: Key) -> bool:
    """Whether nodes of a key are given their host key by us."""
    return policy.making[key].host_keys == INJECT


def _zone(policy: Policy, key: Key, number: int) -> str | None:
    zones = policy.pools[key[0]].config.availability_zones
    return zones[weight(f"{key}{number}", "az") % len(zones)] if zones else None


def born(
    policy: Policy,
    intent: Intent,
    *,
    node_id: NodeId,
    owner: ReplicaId,
    host_key: str | None,
    launcher: str | None,
    now: Now,
) -> NewNode:
    """Return both records of a node that is to be made.

    Args:
        policy: How it is made.
        intent: What is to be made.
        node_id: The id that was drawn for it.
        owner: Who makes it.
        host_key: The public host key that it is given; None: it brings one of its own.
        launcher: What users know its pool's launcher by, if it has a name.
        now: The present.
    """
    making = policy.making[intent.pool, intent.label]
    launch = Launch(
        id=node_id,
        pool=intent.pool,
        label=intent.label,
        step=Step.PLANNED,
        owner=owner,
        planned_s=now.wall_s,
        asked_by_s=now.wall_s + ASK_WITHIN_S + policy.config.api_timeout,
        cores=intent.cores,
        ram_mib=intent.ram_mib,
        volume_gib=intent.volume_gib,
        az=intent.az,
        for_request=intent.for_request,
        on_account_of=intent.on_account_of,
        host_keys=making.host_keys,
        host_key=host_key,
        image_build=None if intent.upload is None else str(intent.upload.build),
        image_place=None if intent.upload is None else intent.upload.place,
        first_use=intent.first_use,
        opened=intent.opened,
        login_key=intent.login_key,
    )
    return NewNode(launch=launch, node=_users_record(policy, launch, launcher))


def _users_record(policy: Policy, launch: Launch, launcher: str | None) -> Node:
    """Return the users' record of a node that begins with *launch*."""
    making = policy.making[launch.pool, launch.label]
    return Node(
        id=launch.id,
        state=NodeState.BUILDING,
        labels=(launch.label,),
        provider=policy.provider,
        pool=launch.pool,
        allocated_to=launch.for_request,
        state_time_s=launch.planned_s,
        created_s=launch.planned_s,
    ).with_fields(
        cloud=policy.config.cloud,
        region=policy.config.region,
        launcher=launcher,
        username=making.username,
        connection_type=making.connection_type,
        connection_port=making.connection_port,
        ssh_port=making.connection_port,
        python_path=making.python_path,
        shell_type=making.shell_type,
        attributes=dict(policy.pools[launch.pool].config.node_attributes) or None,
        resources={"cores": launch.cores, "ram": launch.ram_mib, "instances": 1},
    )
