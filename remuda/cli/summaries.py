"""What each command does, in one line: said by ``remuda --help`` without importing any."""

from collections.abc import Mapping
from typing import Final

#: The first sentences of the commands that are installed with us.
SUMMARIES: Final[Mapping[str, str]] = {
    "autohold": "Have the next failures of some jobs leave their machines, for people.",
    "builder": "Make the images of the configuration, prove them, and swap them in.",
    "capsule": "Show, or take home, all that is known of NODE, which failed or lives.",
    "cloud": "Look at the clouds of the configuration.",
    "completion": "Print the completion script of a shell.",
    "config": "Check the configuration file.",
    "delete": "Mark nodes for deletion; their launcher deletes the machines.",
    "demo": "Show the whole product at work on this machine, in under two minutes.",
    "dev": "Run everything here: ZooKeeper, clouds with real machines, launchers and a builder.",
    "explain": "Say why REQUEST waits: each provider's verdict with the numbers that decided it.",
    "extend": "Keep the held machine of NODE, or the image that it has become, for longer.",
    "failures": "List launches and requests that failed; with NODE or REQUEST, all the evidence.",
    "hold": "Keep the machine of NODE, which we have in use, once its job lets it go.",
    "holds": "List machines that are kept for people, or will be, and the images that some have "
    "become.",
    "image": "See images of ours, have them built, and say what launches boot.",
    "key": "Say whose keys open a held machine.",
    "launcher": "Make and hand out the nodes of one provider.",
    "nodes": "List nodes.",
    "open": "Boot the image of the machine that CAPSULE tells of, as a node that is held for us.",
    "pools": "List pools, their limits and the labels they offer.",
    "release": "Cancel requests of ours, and give back nodes that we hold or keep "
    "by `remuda request`.",
    "request": "Ask for machines, all from one provider.",
    "requests": "List requests in the order in which they are served.",
    "run": "Run COMMAND on a fresh machine of LABEL, with its exit code as ours.",
    "sandbox": "Run an OpenStack-shaped cloud on this machine, with real SSH machines.",
    "ssh": "Log in to NODE, or run COMMAND there, with ssh and the host keys that we know.",
    "status": "Show providers, labels, requests and alarms of images at a glance.",
}
