"""`remuda key`: whose keys open a held machine."""

from functools import partial
from typing import Any, Final

import click

from remuda.cli import output
from remuda.cli.completing import complete_held
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import EXIT_TIMEOUT, CommandFailedError, MistakeError
from remuda.cli.image.arguments import JSON
from remuda.cli.node_change import known_node
from remuda.cli.terminal import say
from remuda.cli.znode_names import as_shown
from remuda.model.hold import HoldKey
from remuda.model.holdwish import KeyWish, wish_of
from remuda.model.ids import NodeId
from remuda.model.node import Node
from remuda.model.publickey import PublicKey, parse_key
from remuda.ssh.agentkeys import agent_keys
from remuda.ssh.keyurl import fetch_keys
from remuda.store.api import Store
from requestor.commands.ending import RequestorCommand
from requestor.commands.options import owner_options
from requestor.errors import KeyRefusedError
from requestor.holding import held_as
from requestor.keys import (
    ANSWER_S,
    file_keys,
    key_wishes,
    read_hold,
    wait_for_keys,
    wish_keys,
)
from requestor.owning import node_owner

_ONE_OF: Final = "say whose key: one of --key, --from-agent, --url and --developer"


@click.group()
def key() -> None:
    """Say whose keys open a held machine."""


@key.command(
    cls=RequestorCommand,
    examples=(
        "remuda key add 3000000001 --key ~/.ssh/id_ed25519.pub",
        "remuda key add 3000000001 --url https://forge.example.org/ada.keys",
        "remuda key add 3000000001 --developer ada --account zuul",
    ),
)
@click.argument("node", callback=as_shown, shell_complete=complete_held)
@click.option("--key", "file", metavar="FILE", help="A file with public keys, such as a .pub file.")
@click.option("--from-agent", is_flag=True, help="The keys of the ssh-agent that runs here.")
@click.option("--url", metavar="URL", help="The keys that a forge gives, over https.")
@click.option("--developer", metavar="NAME", help="One of developers: of the configuration.")
@click.option(
    "--account", metavar="NAME", help="Whose door they open. [default: the account of the label]"
)
@owner_options("Even on a machine that is held for somebody else.")
@JSON
@with_context
def add(
    *,
    context: CommandContext,
    node: str,
    file: str | None,
    from_agent: bool,
    url: str | None,
    developer: str | None,
    account: str | None,
    me: str,
    force: bool,
    as_json: bool,
) -> None:
    """Put public keys onto the held machine of NODE.

    The launcher does it, with its own key, and says the fingerprints; the keys go with the
    machine at the end of the hold.
    """
    given = [one for one in (file, from_agent or None, url, developer) if one is not None]
    if len(given) != 1:
        raise MistakeError(_ONE_OF)
    found: tuple[PublicKey, ...] = ()
    if file is not None:
        found = file_keys(file)
    elif from_agent:
        found = agent_keys(context.clock)
    elif url is not None:
        found = fetch_keys(url, context.clock)
    now_s = context.clock.now_s()
    wishes = key_wishes(found, developer, by=me, account=account, now_s=now_s)
    with context.store() as store:
        written = wish_keys(
            store,
            NodeId(node),
            lambda before: (*before, *wishes),
            judge=partial(_refuse_if_not_ours, store, me=me, force=force),
            by=me,
            now_s=now_s,
        )
        tokens = frozenset(one.token for one in wishes)
        answers = wait_for_keys(store, context.clock, written, tokens, gone=False)
    if answers is None:
        raise CommandFailedError(
            f"the launcher of node {node} has not answered in {ANSWER_S:g} s; it may yet put the "
            "key there (remuda key list)",
            EXIT_TIMEOUT,
        )
    refused = [one.refused for one in answers if one.refused is not None]
    if as_json or len(answers) > 1 or not refused:
        _show(node, answers, as_json=as_json)
    if refused:
        raise KeyRefusedError(f"the key is not on node {node}: {refused[0]}")


@key.command("list", cls=RequestorCommand, examples=("remuda key list 3000000001",))
@click.argument("node", callback=as_shown, shell_complete=complete_held)
@JSON
@with_context
def list_keys(*, context: CommandContext, node: str, as_json: bool) -> None:
    """List the keys that were put onto the held machine of NODE, by fingerprint."""
    with context.store() as store:
        record = known_node(store, NodeId(node)).value
        hold = read_hold(store, record)
    _show(node, () if hold is None else hold.keys, as_json=as_json)


@key.command(
    cls=RequestorCommand,
    examples=("remuda key remove 3000000001 SHA256:x", "remuda key remove 3000000001 ada"),
)
@click.argument("node", callback=as_shown, shell_complete=complete_held)
@click.argument("key", metavar="FINGERPRINT-OR-NAME")
@owner_options("Even from a machine that is held for somebody else.")
@with_context
def remove(*, context: CommandContext, node: str, key: str, me: str, force: bool) -> None:
    """Take keys off the held machine of NODE again; who is logged in stays so."""
    with context.store() as store:
        record = known_node(store, NodeId(node)).value
        hold = read_hold(store, record)
        named = _named(record, () if hold is None else hold.keys, key)
        if not named:
            raise MistakeError(f"node {node} has no key {key} (remuda key list {node})")
        written = wish_keys(
            store,
            NodeId(node),
            lambda before: tuple(one for one in before if one.token not in named),
            judge=partial(_refuse_if_not_ours, store, me=me, force=force),
            by=me,
            now_s=context.clock.now_s(),
        )
        answer = wait_for_keys(store, context.clock, written, named, gone=True)
    if answer is None:
        raise CommandFailedError(
            f"the key is on node {node} still: its launcher has not taken it off in {ANSWER_S:g} "
            "s, and goes on trying",
            EXIT_TIMEOUT,
        )
    say(f"the key {key} is taken off node {node}; who is logged in stays so")


def _named(node: Node, keys: tuple[HoldKey, ...], name: str) -> frozenset[str]:
    """Return the tokens of what *name* means: a fingerprint, or whose it is."""
    answered = {one.token for one in keys if name in (one.fingerprint, one.name)}
    wish = wish_of(node)
    wished = () if wish is None else wish.keys
    return frozenset(answered | {one.token for one in wished if _means(one, name)})


def _means(wish: KeyWish, name: str) -> bool:
    if wish.line is None:
        return wish.developer == name
    try:
        return parse_key(wish.line).fingerprint == name
    except ValueError:
        return False


def _refuse_if_not_ours(store: Store, node: Node, *, me: str, force: bool) -> None:
    owner = node_owner(node, me=me, hold=held_as(store, node))
    if owner is not None and not force:
        raise MistakeError(
            f"node {node.id} is held for {owner}, not for {me}; --force changes its keys anyway"
        )


def _show(node: str, keys: tuple[HoldKey, ...], *, as_json: bool) -> None:
    if as_json:
        output.emit_json([_json(node, one) for one in keys])
        return
    if not keys:
        say(f"no key was put onto node {node} yet; `remuda key add {node}` does that")
    for one in keys:
        whose = f"{one.fingerprint} ({one.name})" if one.name else one.fingerprint
        if not one.fingerprint:
            whose = f"the key of {one.name or 'a developer'}"
        if one.refused is None:
            say(f"{whose} opens {one.account} on node {node}")
        else:
            say(f"{whose} is refused on node {node}: {one.refused}")


def _json(node: str, one: HoldKey) -> dict[str, Any]:
    return {
        "node": node,
        "fingerprint": one.fingerprint or None,
        "name": one.name or None,
        "account": one.account,
        "put_at_s": one.at_s,
        "refused": one.refused,
    }
