"""Under which name this computer is reached from others. It opens no port and serves nothing."""

import contextlib
import ipaddress
import re
import socket

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
# One address in each kind of network there is: which of ours would send there? The first two are reserved for
# documentation (RFC 5737, RFC 3849), the others are the last of each private range (RFC 1918).
_TARGETS = (
    (socket.AF_INET, "192.0.2.1"),
    (socket.AF_INET6, "2001:db8::1"),
    (socket.AF_INET, "10.255.255.254"),
    (socket.AF_INET, "172.31.255.254"),
    (socket.AF_INET, "192.168.255.254"),
)
_PLAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?")


def network_name(host: str) -> str:
    """Return the name or address under which another device reaches a server of this computer.

    Args:
        host: name or address the server listens on.
    """
    name = host.strip("[]")
    if name not in _EVERYWHERE:
        return name
    # Connecting a datagram socket sends nothing; it only asks which way packets would leave. The address is one that is
    # reserved for documentation (RFC 5737).
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            # A network that leads nowhere else, as that of a laptop which is the hotspot of its class.
            return next((one for one in own_names() if _is_of_a_network(one)), socket.gethostname())


def _is_of_a_network(name: str) -> bool:
    """Say whether this is an IPv4 address that others can reach."""
    try:
        found = ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_link_local or found.is_unspecified)


def url(name: str, port: int, scheme: str = "http") -> str:
    """Return the address of a server."""
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def own_names() -> tuple[str, ...]:
    """Return the names and addresses this computer may be reached under, as far as it can tell, its own included.

    Nothing is asked of the network: the system is only asked which way packets would leave, and what it calls itself.
    """
    host = socket.gethostname().lower()
    # What the network calls it may be long: "laptop.school.example" answers to "laptop.local".
    short = host.partition(".")[0]
    names = dict.fromkeys(("localhost", host, f"{host}.local", short, f"{short}.local"))
    found = {"127.0.0.1", "::1"}
    with contextlib.suppress(OSError):
        found |= {str(entry[4][0]).partition("%")[0] for entry in socket.getaddrinfo(host, None)}
    for family, target in _TARGETS:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            found.add(str(probe.getsockname()[0]).partition("%")[0])
    # A name with other letters cannot stand in a certificate, nor be typed.
    return (*(name for name in names if _PLAIN.fullmatch(name)), *sorted(found))
