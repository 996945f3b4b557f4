"""Which addresses of other machines may be connected to on behalf of a client."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from ppocr_serving.errors import InvalidSetting

__all__ = ["IpAddress", "IpNetwork", "allowed_networks", "is_public"]

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# The registries of special-purpose addresses, written out: what Python's `is_global` says depends on its version.
_SPECIAL: Final[tuple[IpNetwork, ...]] = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT, and Aliyun's metadata
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local, and most clouds' metadata
            "168.63.129.16/32",  # Azure's host, which answers its guests only
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/3",  # multicast, reserved, broadcast
            "2001::/23",  # among them Teredo, which embeds an address
            "2001:db8::/32",
            "2002::/16",  # 6to4, which embeds an address
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)
# Outside of it are loopback, link-local, unique local and multicast addresses, and those that embed one of IPv4:
# mapped and NAT64.
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")


def is_public(address: IpAddress) -> bool:
    """Return whether an address is one of the public internet's."""
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _SPECIAL)


def allowed_networks(texts: Sequence[str]) -> tuple[IpNetwork, ...]:
    """Return the networks of the setting `url_allowed_networks`.

    Raises:
        InvalidSetting: One of them is not a network.
    """
    try:
        return tuple(map(ipaddress.ip_network, texts))
    except ValueError as error:
        raise InvalidSetting(
            f"PPOCR_URL_ALLOWED_NETWORKS is {','.join(texts)[:80]!r}: {error}; "
            f"give networks such as 10.0.0.0/8, with commas between them"
        ) from error
