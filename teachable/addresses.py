"""Under which name this computer is reached from others. It opens no port and serves nothing."""

import socket

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


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
            return socket.gethostname()


def url(name: str, port: int) -> str:
    """Return the address of a server."""
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
