"""An OpenStack-shaped cloud on one machine, whose servers are real SSH machines.

Keystone, Nova, Glance and Neutron as far as unmodified openstacksdk and
python-openstackclient use them, over HTTP on loopback, plus a plan of faults that can be
changed while it runs.  It imports nothing of the projects that use it and is reached over
HTTP and SSH only.  Start it with ``python -m sandbox``; see ``docs/sandbox.md``.
"""
