"""The clouds.yaml for clients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from sandbox.config import Config


def clouds_yaml(config: Config, auth_url: str, control_url: str) -> str:
    """Return a clouds.yaml.

    One entry with the cloud's name for the first user, ``NAME-USER`` for each further one. Each
    also says where the control endpoint is and what it asks for; clients of OpenStack pay no heed
    to such a key.
    """
    clouds: dict[str, dict[str, Any]] = {}
    for i, user in enumerate(config.users):
        name = config.cloud if i == 0 else f"{config.cloud}-{user.name}"
        region = (
            {"region_name": config.regions[0]}
            if len(config.regions) == 1
            else {"regions": list(config.regions)}
        )
        clouds[name] = {
            "auth": {
                "auth_url": auth_url,
                "username": user.name,
                "password": user.password,
                "project_name": user.projects[0] if user.projects else "",
                "user_domain_name": "Default",
                "project_domain_name": "Default",
            },
            "identity_api_version": "3",
            **region,
            "sandbox_control": {"url": control_url, "token": config.control_token},
        }
    return yaml.safe_dump({"clouds": clouds}, sort_keys=False)


def write_clouds_yaml(path: Path, text: str) -> None:
    """Write the file at once, for its owner only: readers see the whole of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.rename(path)
