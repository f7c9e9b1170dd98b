"""Nova virt driver whose servers one can really log in to (compute_driver = labvirt.LabDriver).

Everything a hypervisor would do beyond what stands here is inherited from Nova's fake driver.
What a server is: ``labdisk.py`` (its disk), ``labboot.py`` (its processes).

Faults: server metadata, flavor extra specs, image properties, or a rule of ``faults.json`` (first
found wins):

    lab:spawn     fail | hang | stuck | SECONDS
                  the boot fails, lasts until the server gets deleted, lasts for ever (and so
                  does its deletion, as Nova locks the server), or takes that much longer
    lab:ssh       refuse | blackhole | mute | nokey | SECONDS
                  nothing listens | SYNs are dropped | accepts but never speaks |
                  the key is not installed | sshd comes up that long after ACTIVE
    lab:life      SECONDS                    the server dies that long after its boot
    lab:snapshot  fail | hang | SECONDS
    lab:delete    fail | fail:N | SECONDS    the first, or the first N, deletions end in ERROR
"""

import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import nova.conf
from labboot import Machines
from labdisk import first_boot, knows_itself, make_disk, pack, unpack_base
from nova import context as nova_context
from nova import exception, objects
from nova.compute import power_state, task_states
from nova.image import glance
from nova.virt import fake, hardware, node
from oslo_log import log as logging
from rules import Rules

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)
#: An image that no server uses is forgotten after so long.
_IMAGE_IDLE_S = 600


class LabDriver(fake.FakeDriver):
    """Servers are namespaces of this machine."""

    vcpus, memory_mb, local_gb = 1000, 4000000, 600000

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:  # noqa: FBT001, FBT002
        super().__init__(virtapi, read_only)
        self.images = glance.API()
        self.machines = Machines(int(os.environ["LAB_SSH_PORT"]))
        self.rules = Rules(Path(os.environ["LAB_STATE"]))
        self.ruled: dict[str, Any] = {}  # knobs by rule, by instance
        self.failures: dict[tuple[str, str], int] = {}
        self.image_lock = threading.Lock()

    def init_host(self, host: str) -> None:
        """Put all disks on a file system that overlayfs takes, in a container, too."""
        super().init_host(host)
        base = Path(CONF.instances_path)
        if not base.is_mount():
            command = ["mount", "-t", "tmpfs", "-o", "mode=755", "lab", str(base)]
            subprocess.run(command, check=True)
        (base / "_base").mkdir(exist_ok=True)

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:  # noqa: ARG002, FBT001, FBT002
        """Return the node by an uuid that survives a restart; the fake driver makes up new ones."""
        return {node.get_local_node_uuid(): each for each in self.get_available_nodes()}

    def get_available_resource(self, nodename: str) -> Any:
        """Return what there is, under the same uuid."""
        status = super().get_available_resource(nodename)
        if status:
            status["uuid"] = node.get_local_node_uuid()
        return status

    # Faults

    def _fault(self, instance: Any, name: str) -> str:
        key = f"lab:{name}"
        for where in (instance.metadata, instance.flavor.extra_specs or {}):
            if where.get(key):
                return str(where[key])
        image = instance.system_metadata.get(f"image_{key}", "")
        return str(image or self.ruled.get(instance.uuid, {}).get(name, ""))

    def _misbehave(self, instance: Any, name: str, fault: str | None = None) -> None:
        """Fail, wait or do nothing, as the fault of this operation says."""
        fault, _, times = (fault or self._fault(instance, name)).partition(":")
        if fault == "fail":
            seen = self.failures.get((instance.uuid, name), 0) + 1
            self.failures[instance.uuid, name] = seen
            if not times or seen <= int(times):
                raise exception.NovaException(f"injected fault: {name} of {instance.display_name}")
        while fault in ("hang", "stuck"):
            threading.Event().wait(0.5)
            context = nova_context.get_admin_context()
            now = objects.Instance.get_by_uuid(context, instance.uuid)
            if fault == "hang" and now.task_state == task_states.DELETING:
                raise exception.InstanceNotFound(instance_id=instance.uuid)
        threading.Event().wait(_seconds(fault))

    # Life of a server; the arguments are Nova's

    @staticmethod
    def _dir(instance: Any) -> Path:
        return Path(CONF.instances_path) / instance.uuid

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,  # noqa: FBT001, FBT002
        accel_info: Any = None,
    ) -> None:
        """Make the disk and boot."""
        if instance.uuid not in self.ruled:
            self.ruled[instance.uuid] = self.rules.for_boot(
                instance.display_name, instance.metadata
            )
        self._misbehave(instance, "spawn")
        super().spawn(
            *(context, instance, image_meta, injected_files, admin_password, allocations),
            *(network_info, block_device_info, power_on, accel_info),
        )
        try:
            image = self._fetch(context, instance.image_ref) if instance.image_ref else None
            make_disk(self._dir(instance), image)
            self._first_boot(instance, network_info)
            if power_on:
                self._boot(instance)
        except Exception:
            LOG.exception("spawn failed", instance=instance)
            self._remove(instance)
            raise

    def _fetch(self, context: Any, image_id: str) -> Path | None:
        """Return the image as a local file, or None if it is not a tar."""
        path = Path(CONF.instances_path) / "_base" / image_id
        with self.image_lock:
            if not path.exists():
                part = path.with_suffix(".part")
                self.images.download(context, image_id, dest_path=str(part))
                part.rename(path)
        return unpack_base(path)

    def _first_boot(self, instance: Any, network_info: Any) -> None:
        with_key = self._fault(instance, "ssh") != "nokey"
        first_boot(self._dir(instance), instance, network_info, with_key=with_key)

    def _boot(self, instance: Any) -> None:
        life = self._fault(instance, "life")
        self.machines.boot(
            instance.uuid,
            self._dir(instance),
            fault=self._fault(instance, "ssh"),
            life_s=float(life) if life else None,
        )

    def destroy(
        self,
        context: Any,  # noqa: ARG002
        instance: Any,
        network_info: Any,  # noqa: ARG002
        block_device_info: Any = None,  # noqa: ARG002
        destroy_disks: bool = True,  # noqa: FBT001, FBT002
        destroy_secrets: bool = True,  # noqa: ARG002, FBT001, FBT002
    ) -> None:
        """End it; a deletion may be told to fail."""
        if instance.task_state == task_states.DELETING:
            fault = self._fault(instance, "delete")
            self._misbehave(instance, "delete", f"{fault}:1" if fault == "fail" else fault)
        self._remove(instance, disks=destroy_disks)

    def _remove(self, instance: Any, *, disks: bool = True) -> None:
        self.machines.halt(instance.uuid)
        if instance.uuid in self.instances:
            super().destroy(None, instance, None)
        if disks:
            shutil.rmtree(self._dir(instance), ignore_errors=True)
            self.ruled.pop(instance.uuid, None)

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        """Halt it."""
        if instance.uuid in self.instances:  # else lost when nova was restarted
            super().power_off(instance, timeout, retry_interval)
        self.machines.halt(instance.uuid)

    def power_on(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        accel_info: Any = None,
        share_info: Any = None,
    ) -> None:
        """Boot it again from its disk; what has forgotten who it was becomes that anew."""
        super().power_on(context, instance, network_info, block_device_info, accel_info, share_info)
        if not self.machines.has(instance.uuid):
            if not knows_itself(self._dir(instance)):
                self._first_boot(instance, network_info)
            self._boot(instance)

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,  # noqa: ARG002
        block_device_info: Any = None,
        bad_volumes_callback: Any = None,  # noqa: ARG002
        accel_info: Any = None,  # noqa: ARG002
        share_info: Any = None,  # noqa: ARG002
    ) -> None:
        """Halt and boot."""
        self.machines.halt(instance.uuid)
        self.power_on(context, instance, network_info, block_device_info)

    def get_info(self, instance: Any, use_cache: bool = True) -> Any:  # noqa: FBT001, FBT002
        """Notice what died by itself."""
        if self.machines.died(instance.uuid):
            self.machines.halt(instance.uuid)
            self.instances[instance.uuid].state = power_state.SHUTDOWN
        if instance.uuid not in self.instances:  # lost when nova was restarted
            return hardware.InstanceInfo(state=power_state.SHUTDOWN)
        return super().get_info(instance, use_cache)

    def get_console_output(self, context: Any, instance: Any) -> bytes:  # noqa: ARG002
        """Return what its boot said."""
        try:
            return (self._dir(instance) / "console.log").read_bytes()
        except OSError:
            return b""

    def snapshot(self, context: Any, instance: Any, image_id: str, update_task_state: Any) -> None:
        """Pack the disk and upload it."""
        if instance.uuid not in self.instances:
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        self._misbehave(instance, "snapshot")
        tar = self._dir(instance) / f"{image_id}.tar"
        meta = {
            "status": "active",
            "name": self.images.get(context, image_id)["name"],
            "disk_format": "raw",
            "container_format": "bare",
            "properties": {
                "image_location": "snapshot",
                "image_state": "available",
                "owner_id": instance.project_id,
            },
        }
        try:
            pack(self._dir(instance) / "upper", tar)
            update_task_state(
                task_state=task_states.IMAGE_UPLOADING,
                expected_state=task_states.IMAGE_PENDING_UPLOAD,
            )
            with tar.open("rb") as file:
                self.images.update(context, image_id, meta, file)
        except Exception:
            LOG.exception("snapshot failed", instance=instance)  # Nova does not log it
            raise
        finally:
            tar.unlink(missing_ok=True)

    def manage_image_cache(self, context: Any, all_instances: Any) -> None:  # noqa: ARG002
        """Forget what nobody uses."""
        used = {each.image_ref for each in all_instances}
        for image in (Path(CONF.instances_path) / "_base").iterdir():
            if image.name not in used and time.time() - image.stat().st_mtime > _IMAGE_IDLE_S:
                image.unlink()


def _seconds(fault: str) -> float:
    return float(fault) if fault.replace(".", "", 1).isdigit() else 0.0
