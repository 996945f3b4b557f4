"""A program for a separate network namespace: serves, answers, and counts what would have left the machine.

Usage: isolated_server.py hub|lean HOME
Traffic to other machines goes through an interface that leads nowhere; the number of packets it sent is printed.
"""

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.served.samples import as_base64, page
from tests.served.server import launch_hub, launch_lean

_OUTSIDE = "192.0.2.1"  # reserved for documentation, so unreachable


def _sent() -> int:
    (counters,) = [row for row in Path("/proc/net/dev").read_text().splitlines() if "outside:" in row]
    return int(counters.partition(":")[2].split()[9])


def _route_everything_outside(folder: Path) -> None:
    for command in ("ip link set lo up", "ip link add outside type veth peer name nowhere"):
        subprocess.run(command.split(), check=True)
    for interface in ("outside", "nowhere"):
        no_ipv6 = Path(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6")
        if no_ipv6.exists():  # IPv6 announces itself, which would be counted
            no_ipv6.write_text("1")
        subprocess.run(["ip", "link", "set", interface, "arp", "off", "up"], check=True)
    subprocess.run(["ip", "address", "add", "192.0.2.2/24", "dev", "outside"], check=True)
    subprocess.run(["ip", "route", "add", "default", "via", _OUTSIDE], check=True)
    # A name server on the loopback interface would hide name lookups.
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {_OUTSIDE}\noptions timeout:1 attempts:1\n")
    subprocess.run(["mount", "--bind", str(resolver), "/etc/resolv.conf"], check=True)


def main() -> None:
    """Run the service from start to stop."""
    way, home = sys.argv[1], Path(sys.argv[2])
    launch = launch_hub(home) if way == "hub" else launch_lean(home)
    _route_everything_outside(home)
    with launch() as server:
        lines = server.results("ocr_system", [as_base64(page(["Hello World"]))])[0]
        code = server.stop()
    served = _sent()
    with contextlib.suppress(OSError):
        socket.getaddrinfo("example.com", 80)
    named = _sent()
    with socket.socket() as connection:
        connection.settimeout(0.1)
        connection.connect_ex((_OUTSIDE, 80))
    print(json.dumps({"lines": len(lines), "code": code, "served": served, "named": named, "connected": _sent()}))


if __name__ == "__main__":
    main()
