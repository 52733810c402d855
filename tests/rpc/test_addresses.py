"""Where a call comes from: the peer, or what trusted proxies say, and nothing that anyone else writes."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from authsvc.rpc.addresses import Addresses, address_of_peer, holder_of

PROXIES = Addresses([ip_network(text) for text in ("10.0.0.0/8", "192.0.2.1", "fd00::/8")])
STRANGER, PROXY = "ipv4:203.0.113.9:4711", "ipv4:10.1.2.3:4711"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:127.0.0.1:5000", "127.0.0.1"),
        ("ipv6:[::1]:5000", "::1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:%5B2001:db8::7%5D:5000", "2001:db8::7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::1"),
        ("ipv6:%5B::ffff:203.0.113.9%5D:5000", "203.0.113.9"),
        ("unix:/tmp/socket", None),
        ("unix:", None),
        ("ipv4:nonsense:1", None),
        ("127.0.0.1:5000", None),
        ("", None),
    ],
)
def test_a_peer_is_read(peer: str, expected: str | None) -> None:
    """Both families as the library writes them; IPv4 seen through IPv6 is IPv4; a socket in the file system is none."""
    assert address_of_peer(peer) == (None if expected is None else ip_address(expected))


@pytest.mark.parametrize(
    ("peer", "header", "expected"),
    [
        (PROXY, ["198.51.100.4"], "198.51.100.4"),
        (PROXY, ["198.51.100.4:8080"], "198.51.100.4"),
        (PROXY, ["2001:db8::7"], "2001:db8::7"),
        (PROXY, ["[2001:db8::7]"], "2001:db8::7"),
        (PROXY, ["[2001:db8::7]:443"], "2001:db8::7"),
        (PROXY, ["::ffff:198.51.100.4"], "198.51.100.4"),
        (PROXY, [" \t198.51.100.4 "], "198.51.100.4"),
        (PROXY, ["198.51.100.4, 10.9.9.9"], "198.51.100.4"),
        (PROXY, ["198.51.100.4,10.9.9.9,192.0.2.1,fd00::1"], "198.51.100.4"),
        (PROXY, ["198.51.100.4", "10.9.9.9"], "198.51.100.4"),
        (PROXY, ["10.9.9.9", "198.51.100.4"], "198.51.100.4"),
        ("ipv6:%5Bfd00::2%5D:1", ["198.51.100.4"], "198.51.100.4"),
        ("ipv6:%5B::ffff:10.1.2.3%5D:1", ["198.51.100.4"], "198.51.100.4"),
    ],
)
def test_a_trusted_proxy_says_whom_it_speaks_for(peer: str, header: list[str | bytes], expected: str) -> None:
    """The right-most address that is not a proxy's, in each form that proxies write, over one entry or several."""
    assert PROXIES.of(peer, header) == ip_address(expected)


@pytest.mark.parametrize(
    "left",
    [
        "1.1.1.1",
        "10.0.0.1",
        "127.0.0.1",
        "garbage",
        "",
        ", ,",
        "1.1.1.1, 2.2.2.2",
        "'; drop",
        "\u0661.1.1.1",
        "x" * 9_000,
    ],
)
def test_what_the_caller_wrote_itself_is_not_looked_at(left: str) -> None:
    """A caller that sends the header through a proxy cannot choose its address, nor spoil that which the proxy adds."""
    assert PROXIES.of(PROXY, [f"{left}, 198.51.100.4"]) == ip_address("198.51.100.4")
    assert PROXIES.of(PROXY, [left, "198.51.100.4"]) == ip_address("198.51.100.4")


@pytest.mark.parametrize("header", ["198.51.100.4", "10.0.0.1", "127.0.0.1, 10.0.0.1", "garbage"])
@pytest.mark.parametrize("addresses", [PROXIES, Addresses(())], ids=["with proxies", "without any"])
def test_nobody_else_is_believed(addresses: Addresses, header: str) -> None:
    """A peer outside the networks is itself, whatever it writes; the control is the same header from a proxy."""
    assert addresses.of(STRANGER, [header]) == ip_address("203.0.113.9")
    assert PROXIES.of(PROXY, ["198.51.100.4"]) != ip_address("10.1.2.3")


@pytest.mark.parametrize(
    "header",
    [
        [],
        [""],
        ["garbage"],
        ["unknown"],
        ["_hidden"],
        ["198.51.100.4, garbage"],
        ["198.51.100.4,"],
        ["198.51.100.4, , 10.0.0.1"],
        ["198.51.100.04"],
        ["198.51.100"],
        ["3325256708"],
        ["0x7f.1"],
        ["198.51.100.4.5"],
        ["198.51.100.4:"],
        ["198.51.100.4:123456"],
        ["[198.51.100.4"],
        ["fe80::1%eth0"],
        ["198.51.100.4/32"],
        ["\u0661\u0669\u0668.51.100.4"],
        ["198.51.100.4\x00"],
        [b"198.51.100.4"],
        ["10.0.0.1"],
        ["10.0.0.1, fd00::1"],
        [",".join(["198.51.100.4", *["10.0.0.1"] * 32])],
    ],
)
def test_without_anything_to_believe_it_is_the_proxy(header: list[str | bytes]) -> None:
    """No header, a malformed one, one of proxies only, and one of too many: the peer, so that nobody goes uncounted."""
    assert PROXIES.of(PROXY, header) == ip_address("10.1.2.3")


def test_a_long_way_is_followed() -> None:
    """Thirty-one proxies in a row are still followed; the table above has one more."""
    header = ",".join(["198.51.100.4", *["10.0.0.1"] * 31])
    assert PROXIES.of(PROXY, [header]) == ip_address("198.51.100.4")


def test_a_socket_in_the_file_system_has_no_address() -> None:
    """Who calls through one is not a network address, and its header is not believed."""
    assert PROXIES.of("unix:/tmp/s", ["198.51.100.4"]) is None


def test_addresses_of_ipv6_are_counted_by_customer() -> None:
    """All addresses of one /64 are one holder, those of another are not; IPv4 addresses are counted each by itself."""
    holders = [
        holder_of(ip_address(text)) for text in ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1")
    ]
    assert holders[0] == holders[1] != holders[2]
    assert holder_of(ip_address("192.0.2.1")) != holder_of(ip_address("192.0.2.2"))
    assert holder_of(None) not in {*holders, holder_of(ip_address("192.0.2.1"))}
