"""Temporary URLs, as Swift's ``tempurl`` checks them: an HMAC by the container's secret key."""

import hashlib
import hmac
import re
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

from remuda.cloud.api import BadOrderError, CloudConfigError
from remuda.cloud.objects import SIGNED_S_MAX
from remuda.known_secrets import KNOWN
from remuda.runtime.clock import Clock
from remuda.secret import Secret

#: What is signed begins with the version, whatever a proxy has put before it.
_VERSION: Final = re.compile(r"/v[0-9]{1,2}(?:\.[0-9]{1,2})?/")


class UrlSigner:
    """Makes the URLs; keys and signatures are masked wherever they turn up in texts of ours.

    SHA-256 is what every Swift since 2018 takes, and Ceph.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def note(self, container: str, key: str) -> None:
        """Have a key masked."""
        KNOWN.hold(f"key of container {container}", [key])

    def sign(
        self,
        url: str,
        key: Secret,
        name: str,
        for_s: int,
        *,
        whole: bool,
        inline: bool,
    ) -> Secret:
        """Return *url* with its signature.

        Args:
            url: Of the object.
            key: The container's.
            name: The object's, or what the names of all of them begin with.
            for_s: Seconds from now.
            whole: See :meth:`remuda.cloud.objects.ObjectStore.signed_url`.
            inline: Likewise.

        Raises:
            BadOrderError: Nobody gets a URL for that long.
            CloudConfigError: The store's URL is none that Swift would sign for.
        """
        if not 1 <= for_s <= SIGNED_S_MAX:
            raise BadOrderError(f"a signed URL is good for 1 to {SIGNED_S_MAX} seconds")
        whole_path = urlsplit(url).path
        begin = _VERSION.search(whole_path)
        if begin is None:
            raise CloudConfigError(f"{url}: the object store's URL names no version")
        path = unquote(whole_path[begin.start() :])
        if whole:
            path = f"prefix:{path}"
        ends = int(self._clock.now_s()) + for_s
        text = f"GET\n{ends}\n{path}"
        signature = hmac.new(key.reveal().encode(), text.encode(), hashlib.sha256).hexdigest()
        KNOWN.note([signature])
        query = {"temp_url_sig": signature, "temp_url_expires": str(ends)}
        query |= {"temp_url_prefix": name} if whole else {}
        return Secret(f"{url}?{urlencode(query)}{'&inline' if inline else ''}")
