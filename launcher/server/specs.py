"""From a launch and its configuration to what the cloud and the prover are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from launcher.policy import Policy
from launcher.provider.cloud import Recipe
from remuda.cloud.api import BadOrderError, Cloud, Image, ImageWanted, ServerSpec
from remuda.cloud.sizes import NO_NEEDS, FlavorWanted, ImageNeeds
from remuda.config.model import FlavorFrom, ImageFrom, PoolLabel
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName
from remuda.model.image import BuildId
from remuda.model.imageask import labelled_image
from remuda.model.launch import Launch
from remuda.ssh.api import Login, ProofSpec, Script
from remuda.ssh.certificates import authority_line, trust_line
from remuda.ssh.checks import make_checks, make_script
from remuda.ssh.hostkeys import HostKey
from remuda.ssh.keyfile import KeyRing
from remuda.ssh.userdata import merge_user_data
from remuda.steps.first_use import FirstUse
from remuda.steps.runner import StepContext


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpecs:
    """Builds orders of one provider.

    Attributes:
        owner: Whose servers these are, for their tags.
        keys: Reads our key file, and again when it changes: somebody waits for each order.
    """

    policy: Policy
    owner: tags.Owner
    keys: KeyRing = field(default_factory=KeyRing)

    def server(self, launch: Launch, recipe: Recipe, host_key: HostKey | None) -> ServerSpec:
        """Return the create call of a planned node.

        Args:
            launch: The planned node.
            recipe: Its label, looked up, with what it boots.
            host_key: What it is to show as its own, or None.

        Raises:
            UserDataError: If the operator's user data and ours cannot be joined.
            KeyFileError: If our key file is not one.
        """
        image = recipe.image
        assert image is not None  # noqa: S101 - a launch is bound to a build before this
        pool = self.policy.pools[launch.pool].config
        making = self.policy.making[launch.pool, launch.label]
        # A key pair of the cloud's would be left in what is made of such a machine.
        for_builder = labelled_image(launch.label) is not None
        pair = None if for_builder else making.key_name or pool.key_name
        return ServerSpec(
            name=tags.server_name(launch.id, self.owner.installation),
            image=image,
            flavor=recipe.flavor,
            tags=self.server_tags(launch, image),
            networks=pool.networks if making.networks is None else making.networks,
            security_groups=(
                pool.security_groups if making.security_groups is None else making.security_groups
            ),
            az=launch.az,
            key_name=pair,
            config_drive=making.config_drive,
            user_data=merge_user_data(
                making.user_data,
                host_key=host_key,
                authorized_keys=(
                    *self._keys(launch.login_key, always=for_builder),
                    *(() if for_builder else self._trusted(launch.id)),
                ),
                username=making.username,
            )
            or None,
            volume_gib=recipe.volume_gib or None,
            timeout_s=self.policy.config.api_timeout,
        )

    def server_tags(self, launch: Launch, image: Image) -> Mapping[str, str]:
        """Return the metadata of the server of a planned node that boots *image*."""
        making = self.policy.making[launch.pool, launch.label]
        ours = tags.ServerTags(
            owner=self.owner,
            node=launch.id,
            pool=PoolName(launch.pool),
            label=launch.label,
            build=launch.image_build,
        )
        name = image.name
        if making.image.built is not None and launch.first_use is None:
            name = making.image.built
        return tags.make(ours, image=name, extra=self._properties(launch))

    def _keys(self, login_key: str | None, *, always: bool) -> tuple[str, ...]:
        config = self.policy.config
        more = () if login_key is None else (login_key,)
        if config.ssh_key_file is None or not (config.inject_key or always):
            return more
        return (self.keys.public_line(config.ssh_key_file), *more)

    def _trusted(self, node: NodeId) -> tuple[str, ...]:
        """Return what makes a machine trust the authority of the site, for its own hold alone."""
        made = self.policy.holds.certificates
        return () if made is None else (trust_line(authority_line(made.ca_key_file), node),)

    def _properties(self, launch: Launch) -> Mapping[str, str]:
        making = self.policy.making[launch.pool, launch.label]
        facts = {
            "label": launch.label,
            "provider": self.policy.provider,
            "pool": launch.pool,
            "request": launch.for_request or "",
        }
        dynamic = making.dynamic_instance_properties.items()
        return {
            **making.instance_properties,
            **{key: template.format(**facts) for key, template in dynamic},
        }

    def proof(self, launch: Launch, address: str) -> ProofSpec:
        """Return what is to be proven of a machine at *address*."""
        making = self.policy.making[launch.pool, launch.label]
        label = self.policy.labels[launch.label]
        setup = making.setup or label.setup
        known = self._environment(launch)
        return ProofSpec(
            login=Login(
                address=address,
                port=making.connection_port,
                user=making.username,
                key_file=self.policy.config.ssh_key_file,
                host_keys=() if launch.host_key is None else (launch.host_key,),
            ),
            recipe=self._recipe(launch, making),
            setup=None if setup is None else _knowing(make_script(setup, name="setup"), known),
            checks=tuple(
                _knowing(check, known) for check in make_checks((*label.checks, *making.checks))
            ),
            login_wanted=(
                making.connection_type == "ssh" and self.policy.config.ssh_key_file is not None
            ),
        )

    def _recipe(self, launch: Launch, making: PoolLabel) -> FirstUse | None:
        """Return the steps that a machine runs for want of a build; the order was judged just now.

        Raises:
            KeyError: Its image is not made on first use any more.
        """
        if launch.first_use is None:
            return None
        found = self.policy.on_demand[making.image.built or ""]
        context = StepContext(
            build=BuildId(found.recipe.name, 0),
            provider=self.policy.provider,
            recipe=found.recipe,
            secrets={},
            copied=found.copied,
        )
        return FirstUse(context=context, mark=launch.id)

    def _environment(self, launch: Launch) -> tuple[tuple[str, str], ...]:
        return (
            ("REMUDA_NODE", launch.id),
            ("REMUDA_LABEL", launch.label),
            ("REMUDA_PROVIDER", self.policy.provider),
            ("REMUDA_POOL", launch.pool),
            ("REMUDA_REGION", self.policy.config.region or ""),
            ("REMUDA_AZ", launch.az or ""),
        )


def _knowing(script: Script, known: tuple[tuple[str, str], ...]) -> Script:
    """Return the script with what is known of its node in the environment."""
    return replace(script, environment=(*known, *script.environment))


def image_wanted(source: ImageFrom) -> ImageWanted:
    """Return the cloud's question for a configured image."""
    return ImageWanted(
        id=source.id, name=source.name, pattern=source.match, properties=source.properties
    )


def flavor_wanted(
    source: FlavorFrom, needs: ImageNeeds = NO_NEEDS, *, volume_gib: int = 0
) -> FlavorWanted:
    """Return the cloud's question for a configured flavor.

    Args:
        source: As configured.
        needs: What the image needs.
        volume_gib: The size of the volume that it is written to; 0: to the flavor's own disk.
    """
    return FlavorWanted(
        name=source.name,
        ram_mib=source.ram,
        cores=source.cores,
        disk_gib=-(-source.disk // 1024),
        needs=needs,
        local_disk=not volume_gib,
    )


def volume_of(making: PoolLabel, needs: ImageNeeds) -> int:
    """Return the size of the volume that a label boots from, GiB; 0: from none.

    Raises:
        BadOrderError: The image does not fit on it.
    """
    volume = making.boot_from_volume
    if volume is None:
        return 0
    volume_gib = -(-volume.size // 1024)
    if volume_gib < needs.disk_gib:
        raise BadOrderError(
            f"the image needs a disk of {needs.disk_gib} GiB, and boot-from-volume makes a volume"
            f" of {volume_gib} GiB"
        )
    return volume_gib


def look_up(cloud: Cloud, making: PoolLabel, built: ImageNeeds) -> Recipe:
    """Return what a label is made of now.

    Args:
        cloud: Where it is made.
        making: How.
        built: What its image needs, if that is one of ours.

    Raises:
        BadOrderError: Something is not there, or does not fit.
        CloudError: The cloud does not tell.
    """
    image = None
    if making.image.built is None:
        image = cloud.find_image(image_wanted(making.image))
    needs = built if image is None else image.needs
    volume_gib = volume_of(making, needs)
    flavor = cloud.find_flavor(flavor_wanted(making.flavor, needs, volume_gib=volume_gib))
    return Recipe(image=image, flavor=flavor, volume_gib=volume_gib, needs=needs)
