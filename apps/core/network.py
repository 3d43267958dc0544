"""Which addresses are this machine, and how a Loom that listens there is reached."""

from __future__ import annotations

import http.client
import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether `host`, a name or an address, means this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reachable(bind_host: str) -> str:
    """Return the host to connect to: one that listens on every address is reached on loopback."""
    try:
        ip = ipaddress.ip_address(bind_host)
    except ValueError:
        return bind_host
    if not ip.is_unspecified:
        return bind_host
    return "::1" if ip.version == 6 else "127.0.0.1"


def url_of(bind_host: str, port: int) -> str:
    """Return the URL, without a slash at its end, at which a server that listens there is reached from here."""
    host = reachable(bind_host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def is_loom_there(bind_host: str, port: int) -> bool:
    """Tell whether a Loom answers there."""
    connection = http.client.HTTPConnection(reachable(bind_host), port, timeout=1)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        response = connection.getresponse()
        return response.status == http.HTTPStatus.OK and response.read(3) == b"ok"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
