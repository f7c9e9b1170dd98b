"""An account in a cloud: clouds.yaml, the token that all threads share, and the endpoints."""

import contextlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from keystoneauth1 import exceptions as ksa
from keystoneauth1.access import AccessInfo
from keystoneauth1.identity.base import BaseIdentityPlugin
from keystoneauth1.session import Session
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion

from remuda.cloud import errors
from remuda.cloud.answers import REDIRECTS_MAX, BoundedAdapter, answer_within
from remuda.cloud.api import (
    BadOrderError,
    CloudConfigError,
    CloudError,
    GoneError,
    UnauthorizedError,
)
from remuda.cloud.errors import Effect
from remuda.config.name_guesses import nearest_of
from remuda.known_secrets import KNOWN
from remuda.redaction import secret_values
from remuda.runtime.clock import Clock
from remuda.yamlplace import place_of

#: Kept connections per host; more threads than this at once open short-lived ones.
CONNECTIONS_MAX: Final = 32
#: Keystone locks accounts after a few wrong passwords; a refusal is repeated to callers from
#: memory for this long instead of asked for again.
REFUSAL_PAUSE_S: Final = 10.0
#: A token is renewed so long before its end, but not before most of its life is over, so that
#: tokens that live for seconds do not cost one per call.
RENEW_AHEAD_S: Final = 30.0
RENEW_AHEAD_PART: Final = 0.1

#: The catalog may name a service's root; the rest of the path is always the same, so we need
#: not ask the service (version discovery would cost a call per process and service).
_VERSION_PATHS: Final[Mapping[str, str]] = {"compute": "v2.1", "image": "v2", "network": "v2.0"}
_VERSION: Final = re.compile(r"v\d+(\.\d+)?")
#: Keystone 30 answers 404, not 401, to an application credential that was deleted.
_NO_CREDENTIAL: Final = re.compile(r"application.credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """Which account.

    Attributes:
        cloud: Name in clouds.yaml.
        clouds_file: That file, and no other and no environment variable; None: where the
            OpenStack client looks (``OS_CLIENT_CONFIG_FILE``, the working directory, …).
        api_timeout_s: Of the calls to Keystone.
    """

    cloud: str
    region: str | None = None
    clouds_file: str | None = None
    api_timeout_s: float = 60.0


def load_region(settings: AccountSettings) -> CloudRegion:
    """Read clouds.yaml.

    Raises:
        CloudConfigError: One sentence that says what to correct.
    """
    where = settings.clouds_file or "clouds.yaml"
    if settings.clouds_file:
        _check_file(Path(settings.clouds_file))
    try:
        config = _open_config(settings.clouds_file)
        where = config.config_filename or where
        _check_known(settings.cloud, config)
        region = config.get_one(
            cloud=settings.cloud,
            region_name=settings.region,
            api_timeout=settings.api_timeout_s,
        )
    except (sdk.ConfigException, ksa.ClientException) as exc:
        raise CloudConfigError(f"{where}: cloud {settings.cloud!r}: {exc}") from exc
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        # The SDK does not check shapes: a list where it expects a mapping ends in one of these.
        # Its words may quote what stands there.
        raise CloudConfigError(
            f"{where}: cloud {settings.cloud!r} is not written as it must be ({type(exc).__name__})"
        ) from None
    KNOWN.hold(f"cloud {settings.cloud}", secret_values(region.config))
    return region


def _open_config(clouds_file: str | None) -> OpenStackConfig:
    if clouds_file is None:
        return OpenStackConfig(app_name="remuda")
    # load_envvars: otherwise OS_CLIENT_CONFIG_FILE silently replaces the file we were told.
    folder = Path(clouds_file).parent
    return OpenStackConfig(
        config_files=[clouds_file],
        secure_files=[str(folder / "secure.yaml")],
        vendor_files=[str(folder / "clouds-public.yaml")],
        load_envvars=False,
        app_name="remuda",
    )


def _check_known(cloud: str, config: OpenStackConfig) -> None:
    """Refuse a cloud that there is not: the SDK tells neither where it has looked, nor for what.

    Raises:
        CloudConfigError: With the file that was read, and the clouds that it has.
    """
    names = config.get_cloud_names()
    if cloud in names:
        return
    if config.config_filename is None:
        raise CloudConfigError(
            f"there is no cloud {cloud!r}, and no clouds.yaml that can be read:"
            " OS_CLIENT_CONFIG_FILE names one, or it lies in the working directory, in"
            " ~/.config/openstack or in /etc/openstack"
        )
    raise CloudConfigError(
        f"{config.config_filename} has no cloud {cloud!r}; {nearest_of(cloud, names)}"
    )


def _check_file(path: Path) -> None:
    # The SDK skips files that it cannot read or parse and then misses the cloud.
    try:
        doc = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise CloudConfigError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise CloudConfigError(f"{path}: is not YAML, at {place_of(exc)}") from None
    KNOWN.hold(f"file {path}", secret_values(doc))
    if not isinstance(doc, dict) or not isinstance(doc.get("clouds"), dict):
        raise CloudConfigError(f"{path}: has no mapping 'clouds'")


class Account:
    """One token for all threads, renewed by whoever first notices that it is refused.

    keystoneauth1 re-authenticates by itself, but not safely in several threads (5.18:
    ``invalidate`` in one thread between the lines of ``get_access`` in another ends in an
    AssertionError or a false 401), so tokens are fetched under a lock of ours and put on the
    requests by :class:`remuda.cloud.wire.Wire`.

    It also compares ``expires_at`` with this machine's clock and renews two minutes ahead: a
    cloud whose clock is behind ours, or whose tokens live for a minute, would be asked for one
    before every call. How long a token lives is what Keystone's two times differ by, whatever
    its clock says, and how much of that is over we measure ourselves.
    """

    def __init__(self, settings: AccountSettings, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._region = load_region(settings)
        self._lock = threading.Lock()
        self._endpoints: dict[str, str] = {}
        self._refusal: tuple[float, UnauthorizedError] | None = None
        self._token: Mapping[str, str] | None = None
        self._renew_s: float | None = None  # when; None: when it is refused
        try:
            self.session: Session = self._region.get_session()
        except (sdk.ConfigException, ksa.ClientException) as exc:
            raise errors.of_exception(exc, Effect.READ, now_s=clock.now_s()) from exc
        if isinstance(self.session.auth, BaseIdentityPlugin):
            self.session.auth.reauthenticate = False  # by its clock and ours; see above
        self.session.redirect = REDIRECTS_MAX
        for scheme in ("http://", "https://"):
            self.session.session.mount(scheme, BoundedAdapter(pool_maxsize=CONNECTIONS_MAX))

    @property
    def external_networks(self) -> tuple[str, ...]:
        """Networks that clouds.yaml calls external (``routes_externally: true``)."""
        return tuple(self._region.get_external_ipv4_networks())

    @property
    def region(self) -> str | None:
        """The region we work in; None: clouds.yaml and settings leave it open."""
        return self._region.get_region_name("compute") or None

    @property
    def auth_url(self) -> str:
        """Where Keystone is, as clouds.yaml says it; empty if it does not."""
        return str((self._region.get_auth_args() or {}).get("auth_url") or "")

    def access(self) -> AccessInfo:
        """Return what Keystone said of us when it gave the token.

        Raises:
            UnauthorizedError: The credentials are refused.
            CloudConfigError: clouds.yaml asks for a way to authenticate without Keystone.
            TryLaterError: Keystone cannot be reached or is busy.
        """
        plugin = self.session.auth
        if not isinstance(plugin, BaseIdentityPlugin):
            raise CloudConfigError(
                f"cloud {self._settings.cloud!r}: this way to authenticate names nobody"
            )
        with self._lock:
            self._current()
            return plugin.get_access(self.session)  # known by now

    def token(self, *, stale: Mapping[str, str] | None = None) -> Mapping[str, str]:
        """Return the headers that authenticate a call.

        Args:
            stale: Headers that the cloud has just refused; if they are still the current ones,
                a new token is fetched.

        Raises:
            UnauthorizedError: The credentials are refused.
            TryLaterError: Keystone cannot be reached or is busy.
        """
        with self._lock:
            return self._current(stale)

    def endpoint(self, service: str) -> str:
        """Return the base URL of a service, such as ``compute``, without a final slash.

        Raises:
            CloudConfigError: If the catalog has no such service in our region.
        """
        with self._lock:
            if service not in self._endpoints:
                self._current()  # which brings the catalog
                try:
                    self._endpoints[service] = self._find_endpoint(service)
                except ksa.ClientException as exc:
                    raise self._auth_error(exc) from exc
            return self._endpoints[service]

    def close(self) -> None:
        """Drop the connections."""
        with contextlib.suppress(OSError):
            self.session.session.close()

    def _current(self, stale: Mapping[str, str] | None = None) -> Mapping[str, str]:
        self._raise_recent_refusal()
        now_s = self._clock.monotonic_s()
        due = self._renew_s is not None and now_s >= self._renew_s
        if self._token is None or due or (stale is not None and self._token == stale):
            self._token = None
            try:
                self._token = self._fetch(now_s)
            except ksa.ClientException as exc:
                raise self._auth_error(exc) from exc
        return self._token

    def _fetch(self, now_s: float) -> Mapping[str, str]:
        """Ask for a new token; *now_s* is the monotonic time before that."""
        self.session.invalidate()
        with answer_within(self._settings.api_timeout_s):
            headers = self.session.get_auth_headers()
        if not headers:
            raise ksa.AuthorizationFailure("no way to authenticate is configured")
        KNOWN.note(str(value) for value in headers.values())
        life_s = self._life_s()
        ahead_s = min(RENEW_AHEAD_S, life_s * RENEW_AHEAD_PART)
        self._renew_s = now_s + life_s - ahead_s if life_s > 0.0 else None
        return dict(headers)

    def _life_s(self) -> float:
        """Return for how long the new token is good; 0 if Keystone does not say."""
        plugin = self.session.auth
        access = plugin.auth_ref if isinstance(plugin, BaseIdentityPlugin) else None
        try:
            issued = access.issued if access is not None else None
            expires = access.expires if access is not None else None
        except (KeyError, TypeError, ValueError):  # the library does not check shapes
            return 0.0
        return (expires - issued).total_seconds() if expires and issued else 0.0

    def _find_endpoint(self, service: str) -> str:
        found: Any = self._region.get_endpoint(service) or self.session.get_endpoint(
            service_type=self._region.get_service_type(service),
            service_name=self._region.get_service_name(service),
            interface=self._region.get_interface(service),
            region_name=self._region.get_region_name(service) or None,
            skip_discovery=True,
        )
        if not found:
            place = f"region {self._settings.region!r}" if self._settings.region else "any region"
            raise ksa.EndpointNotFound(f"the catalog has no {service!r} service in {place}")
        url = str(found).rstrip("/")
        parts = urlsplit(url).path.split("/")
        if any(_VERSION.fullmatch(part) for part in parts):
            return url
        if service not in _VERSION_PATHS:  # Swift's names the account, which we cannot guess
            raise ksa.EndpointNotFound(f"the catalog's {service!r} service has no account: {url}")
        return f"{url}/{_VERSION_PATHS[service]}"

    def _auth_error(self, exc: ksa.ClientException) -> CloudError:
        error = errors.of_exception(exc, Effect.READ, now_s=self._clock.now_s())
        prefix = f"cloud {self._settings.cloud!r}"
        if isinstance(error, UnauthorizedError):
            error = UnauthorizedError(f"{prefix}: {error}")
            self._refusal = (self._clock.monotonic_s() + REFUSAL_PAUSE_S, error)
        elif isinstance(error, GoneError) and _NO_CREDENTIAL.search(str(error)):
            error = UnauthorizedError(f"{prefix}: {error}")
        elif isinstance(error, GoneError | BadOrderError | CloudConfigError):
            error = CloudConfigError(f"{prefix}: {error}")
        return error

    def _raise_recent_refusal(self) -> None:
        if self._refusal is None:
            return
        until_s, error = self._refusal
        if self._clock.monotonic_s() < until_s:
            raise UnauthorizedError(str(error))
        self._refusal = None
