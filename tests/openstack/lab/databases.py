"""The database server, and what the services want in it before their first start."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.openstack.lab.layout import DATABASES, PASSWORD, REGIONS, Layout
from tests.openstack.lab.processes import await_up, call, spawn
from tests.openstack.lab.settings import environment

_START_S: Final = 60.0
#: Schemas load in parallel: most of it is Python's start-up.
_AT_ONCE: Final = 3
#: What nova-manage says of a cell that an interrupted set-up has made.
_EXISTS: Final = 2
_SPEAK: Final = (
    "import sys, pymysql\n"
    "c = pymysql.connect(unix_socket=sys.argv[1], user='root', autocommit=True).cursor()\n"
    "for s in sys.argv[2:]: c.execute(s)\n"
)


def start(layout: Layout) -> None:
    """Start the server, with files of its own the first time, and wait for it."""
    if not (layout.state / "mysql" / "mysql").exists():
        call(
            *("mariadb-install-db", "--no-defaults", "--user=root"),
            *(f"--datadir={layout.state / 'mysql'}", "--skip-test-db"),
            "--auth-root-authentication-method=normal",
            log=layout.log / "setup.log",
        )
    spawn(
        layout, "mariadb", ["/usr/sbin/mariadbd", f"--defaults-file={layout.etc / 'my.cnf'}"], None
    )
    await_up(layout, "mariadb", lambda: speaks(layout), _START_S)


def speaks(layout: Layout, *statements: str) -> bool:
    """Execute statements; False if the server does not listen."""
    command = [str(layout.venv / "bin" / "python"), "-c", _SPEAK, str(layout.socket), *statements]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def load_schemas(layout: Layout) -> None:
    """Load all schemas, once per state."""
    stamp = layout.state / "schemas"
    if stamp.exists():
        return
    speaks(
        layout,
        *(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb3" for name in DATABASES),
    )
    jobs: list[Callable[[], None]] = [
        lambda: _nova(layout),
        lambda: _keystone(layout),
        lambda: _manage(layout, "neutron-db-manage", "upgrade", "heads"),
        lambda: _manage(layout, "glance-manage", "db_sync"),
        lambda: _manage(layout, "placement-manage", "db", "sync"),
    ]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for each in [pool.submit(job) for job in jobs]:
            each.result()
    stamp.touch()


def _manage(layout: Layout, tool: str, *args: str, ok: tuple[int, ...] = (0,)) -> None:
    config = {"glance-manage": "glance-api"}.get(tool, tool.split("-", maxsplit=1)[0])
    call(
        *(str(layout.venv / "bin" / tool), "--config-file", str(layout.etc / f"{config}.conf")),
        *args,
        log=layout.log / f"setup-{tool}.log",
        env=environment(layout),
        ok=ok,
    )


def _keystone(layout: Layout) -> None:
    for kind in ("fernet", "credential"):
        (layout.state / "keystone" / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = ("--keystone-user", "root", "--keystone-group", "root")
        _manage(layout, "keystone-manage", f"{kind}_setup", *owner)
    _manage(layout, "keystone-manage", "db_sync")
    urls = (f"--bootstrap-{kind}-url" for kind in ("public", "internal", "admin"))
    _manage(
        *(layout, "keystone-manage", "bootstrap", "--bootstrap-password", PASSWORD),
        *(word for option in urls for word in (option, layout.auth_url)),
        *("--bootstrap-region-id", REGIONS[0]),
    )


def _nova(layout: Layout) -> None:
    _manage(layout, "nova-manage", "api_db", "sync")
    cell0 = ("--database_connection", layout.database("nova_cell0"))
    _manage(layout, "nova-manage", "cell_v2", "map_cell0", *cell0)
    cell1 = ("--database_connection", layout.database("nova"), "--transport-url", "fake://")
    _manage(
        layout,
        *("nova-manage", "cell_v2", "create_cell", "--name", "cell1", *cell1),
        ok=(0, _EXISTS),
    )
    _manage(layout, "nova-manage", "db", "sync")
