"""The services' configuration files, made of the templates in ``conf/``."""

import os
import shutil
from string import Template
from typing import Any, Final

import yaml

from tests.openstack.lab.layout import DATABASES, HERE, PASSWORD, REGIONS, ROOT, SERVICES, Layout

_FOLDERS: Final = (
    *("etc", "log", "run", "calls", "images", "tasks", "staging"),
    *("locks", "servers", "nova", "neutron"),
)
#: Sections with which services log in to Keystone, and what they say besides.
_LOGINS: Final = {
    # Nova passes service tokens on; the role is asked for.
    "keystone_authtoken": "www_authenticate_uri = $auth_url\n"
    "service_token_roles = service\nservice_token_roles_required = true\n",
    "nova": "",
    "placement": "",
    "neutron": "",
    "glance": "",
    "service_user": "send_service_user_token = true\n",
}
_LOGIN: Final = """
[$section]
auth_type = password
auth_url = $auth_url
username = service
password = $password
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = RegionOne
"""


def write_all(layout: Layout) -> None:
    """Write every file; the same lab gets the same files."""
    for name in _FOLDERS:
        (layout.state / name).mkdir(parents=True, exist_ok=True)
    values = _values(layout)
    for source in sorted((HERE / "conf").iterdir()):
        text = Template(source.read_text()).substitute(values)
        (layout.etc / source.name).write_text(text)
    shutil.copyfile(layout.venv / "etc" / "nova" / "api-paste.ini", layout.etc / "api-paste.ini")
    layout.clouds_file.write_text("# Written by `make openstack-lab`.\n" + _clouds(layout))
    layout.clouds_file.chmod(0o600)


def environment(layout: Layout, service: str = "") -> dict[str, str]:
    """Return what a service finds in its environment: no proxies, no accounts of ours."""
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("OS_") and "proxy" not in key.lower()
    }
    system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {
        **env,
        **{f"OS_{name.upper()}_CONFIG_DIR": str(layout.etc) for name in SERVICES},
        "OS_NEUTRON_CONFIG_FILES": "neutron.conf",
        # The hypervisor wires servers by a part of the sandbox.
        "PYTHONPATH": f"{HERE / 'inside'}:{ROOT}",
        "LAB_STATE": str(layout.state),
        "LAB_PORT": str(layout.port(service)),
        "LAB_SSH_PORT": str(layout.ssh_port()),
        "PATH": f"{layout.venv / 'bin'}:{system}",
        "PYTHONWARNINGS": "ignore",
        "PYTHONUNBUFFERED": "1",
        "HOME": str(layout.state),
        "MALLOC_ARENA_MAX": "2",
    }


def _values(layout: Layout) -> dict[str, str]:
    values = {
        "state": str(layout.state),
        "run": str(layout.run),
        "socket": str(layout.socket),
        "paste": str(layout.venv / "etc"),
        "auth_url": layout.auth_url,
        "url_glance": layout.url("glance"),
        "password": PASSWORD,
        **{f"db_{name}": layout.database(name) for name in DATABASES},
    }
    for section, more in _LOGINS.items():
        values[section] = Template(_LOGIN + more).substitute({**values, "section": section})
    return values


def _account(layout: Layout, user: str, **more: Any) -> dict[str, Any]:
    """Return an account of one region, unless *more* names several."""
    auth = {
        "auth_url": layout.auth_url,
        "username": user,
        "password": PASSWORD,
        "project_name": user,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    place = {} if "regions" in more else {"region_name": REGIONS[0]}
    return {"auth": auth, **place, **more}


def _clouds(layout: Layout) -> str:
    direct = [
        {"name": "public", "routes_externally": True, "default_interface": True},
        {"name": "private", "routes_externally": False},
    ]
    floating = [
        {"name": "external", "routes_externally": True, "nat_source": True},
        {"name": "private", "routes_externally": False, "nat_destination": True},
    ]
    clouds = {
        "lab": _account(layout, "demo", networks=direct),
        "lab-fip": _account(layout, "demo", networks=floating),
        "lab-other": _account(layout, "other", networks=direct[:1], regions=list(REGIONS)),
        "lab-admin": _account(layout, "admin"),
    }
    return yaml.safe_dump({"clouds": clouds}, sort_keys=False)
