"""What `remuda dev` says once everything is up: one screen. Pure."""

import shlex

from remuda.cli.dev import keeping, recipe
from remuda.cli.dev.plan import DevPlan


def announcement(plan: DevPlan, *, bare: str) -> str:
    """Return what there is, and what to try; *bare* says why there is no client of OpenStack."""
    cloud = plan.clouds[0].cloud
    pages = ", ".join(f"{url} ({name})" for name, url in plan.pages.items())
    return f"""Everything is up, in {plan.folder}. In another terminal:

  . {shlex.quote(str(plan.env_file))}
  remuda run small -- hostname
  remuda nodes --watch
  remuda status
  openstack --os-cloud {cloud} server list{bare}

{f"Pages of the launchers: {pages}" if pages else "No launcher runs."}

A job that fails can leave its machine to you (docs/diagnosis.md):

  remuda run small --hold-on-failure -- false    (prints its NODE)
  remuda ssh NODE                                (with a certificate)
  remuda key add NODE --developer {keeping.DEVELOPER}        (her key: {plan.developer_key})
{_of_snapshots(plan)}\
  remuda release NODE

And what it wrote (docs/archive.md), here into the object store of {cloud}:

  remuda run small --archive /etc/hostname --archive-to {cloud}:ci-logs -- true

{_of_images(plan)}

Ctrl-C ends it."""


def _of_snapshots(plan: DevPlan) -> str:
    if plan.no_images:
        return ""
    return f"""\
  remuda hold NODE --snapshot --share-with {plan.project}
                    (the project {keeping.DEVELOPER}; her cloud: {plan.developer_cloud})
"""


def _of_images(plan: DevPlan) -> str:
    if plan.no_images:
        return f"No image is made here: {plan.no_images}."
    image, captured = recipe.IMAGE, recipe.CAPTURED
    return f"""The image {image} is made by {plan.script_file}; label {recipe.LABEL} boots it.
{captured} is made of a job's machine, {recipe.ON_DEMAND} on first use; labels are called alike.

  remuda image list
  remuda image build {image} --wait     (or change the script; then rollback)
  remuda image capture NODE --as {captured}     (of a job that has it in use)"""
