"""S01, S09, S10 and Done when 3: tools log in to the hub of the reference network by SSH.

login.py netmiko|napalm|pyats
"""

import json
import sys

HOST, USER, PASSWORD, ENABLE = "10.1.1.1", "admin", "sesame", "rescue"
OUTSIDE, INSIDE = "FastEthernet0/0", "FastEthernet0/1"
SPOKE, CLIENT = "10.100.2.102", "10.51.82.100"


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r} instead of {expected!r}")


def netmiko():
    from netmiko import ConnectHandler
    from parsers import check
    from taking import by_netmiko

    with ConnectHandler(
        device_type="cisco_ios", host=HOST, username=USER, password=PASSWORD, secret=ENABLE, session_log="netmiko.log"
    ) as hub:
        same("prompt", hub.find_prompt(), "Hub#")
        same("base prompt", hub.base_prompt, "Hub")
        # down to user mode and up again, by the enable secret
        hub.send_command("disable", expect_string=r"Hub>")
        same("privileged before enable", hub.check_enable_mode(), False)
        hub.enable()
        same("privileged", hub.check_enable_mode(), True)
        same("privilege", hub.send_command("show privilege"), "Current privilege level is 15")
        same("uptime line", "Hub uptime is" in hub.send_command("show version"), True)
        brief = hub.send_command("show ip interface brief", use_textfsm=True)
        same("addresses", {r["interface"]: r["ip_address"] for r in brief}, {OUTSIDE: "10.48.67.181", INSIDE: HOST})

        told = hub.send_config_set(
            ["ip route 10.77.0.0 255.255.0.0 10.1.1.10", f"interface {INSIDE}", "description by Netmiko"],
            error_pattern=r"%",
        )
        same("mode of the interface", "Hub(config-if)#" in told, True)
        same("left configuration mode", hub.check_config_mode(), False)
        routes = json.loads(hub.send_command("show ip route | json"))["rows"]
        [route] = [r for r in routes if r["destination"] == "10.77.0.0/16"]
        same("next hop", route["next_hop"], "10.1.1.10")
        same("saved", "[OK]" in hub.save_config(), True)
        startup = hub.send_command("show startup-config").splitlines()
        same("in the startup configuration", "ip route 10.77.0.0 255.255.0.0 10.1.1.10" in startup, True)
        if not check("both", by_netmiko(hub)):
            sys.exit("outputs taken by SSH do not parse")


def napalm():
    from napalm import get_network_driver

    options = {"secret": ENABLE, "session_log": "napalm.log"}
    with get_network_driver("ios")(HOST, USER, PASSWORD, optional_args=options) as hub:
        same("alive", hub.is_alive(), {"is_alive": True})
        facts = hub.get_facts()
        same("hostname", facts["hostname"], "Hub")
        same("interfaces", facts["interface_list"], [OUTSIDE, INSIDE])
        same("uptime is a number of seconds", 0 <= facts["uptime"] < 3600, True)
        interfaces = hub.get_interfaces()
        same("outside", [interfaces[OUTSIDE][k] for k in ("is_up", "is_enabled", "mtu")], [True, True, 1500])
        same("description", interfaces[OUTSIDE]["description"], "Outside interface")
        addresses = {name: entry["ipv4"] for name, entry in hub.get_interfaces_ip().items()}
        expected = {OUTSIDE: {"10.48.67.181": {"prefix_length": 27}}, INSIDE: {HOST: {"prefix_length": 23}}}
        same("addresses", addresses, expected)
        neighbours = {entry["ip"]: entry["interface"] for entry in hub.get_arp_table()}
        same("a host of the LAN", neighbours.get("10.1.1.10"), INSIDE)
        macs = {entry["ip"]: entry["mac"] for entry in hub.get_arp_table()}
        same("own hardware address", macs[HOST], interfaces[INSIDE]["mac_address"])
        users = hub.get_users()
        same("users", {name: user["level"] for name, user in users.items()}, {"admin": 15, "gfullage": 1})
        config = hub.get_config()
        running, startup = config["running"].splitlines(), config["startup"].splitlines()
        for line in ("hostname Hub", " crypto map mymap", "crypto map mymap 10 ipsec-isakmp dynamic dynmap", "end"):
            same(f"{line!r} in the running configuration", line in [*running, *(" " + l.strip() for l in running)], True)
        same("the startup configuration's end", startup[-1], "end")


def pyats():
    from genie.testbed import load

    ssh = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    login = {"default": {"username": USER, "password": PASSWORD}, "enable": {"password": ENABLE}}
    connection = {"protocol": "ssh", "ip": HOST, "port": 22, "ssh_options": ssh}
    # `os: iosxe` has the parsers for ISAKMP and IPsec
    device = {"os": "iosxe", "type": "router", "credentials": login, "connections": {"cli": connection}}
    hub = load({"testbed": {"name": "reference"}, "devices": {"Hub": device}}).devices["Hub"]
    hub.connect(log_stdout=False, logfile="pyats.log", connection_timeout=30)
    hub.settings.GRACEFUL_DISCONNECT_WAIT_SEC = 0
    hub.settings.POST_DISCONNECT_WAIT_SEC = 0
    same("privilege", hub.execute("show privilege"), "Current privilege level is 15")

    sas = hub.parse("show crypto isakmp sa")["isakmp_stats"]["IPv4"].values()
    same("ISAKMP SAs", [(sa["source"], sa["session_state"]) for sa in sas], [(SPOKE, "QM_IDLE"), (CLIENT, "QM_IDLE")])
    # Genie would send the parser's own placeholder for this command
    command = f"show crypto ipsec sa peer {SPOKE}"
    [sa] = hub.parse(command, output=hub.execute(command))["interface"][OUTSIDE]["ident"].values()
    same("proxies", (sa["local_ident"]["addr"], sa["remote_ident"]["addr"]), ("10.1.0.0", "10.2.0.0"))
    session = hub.parse(f"show crypto session remote {SPOKE} detail")["interfaces"][OUTSIDE]
    same("session", (session["profile"], session["session_status"]), ("L2L", "UP-ACTIVE"))
    brief = hub.parse("show ip interface brief")["interface"]
    same("address", brief[OUTSIDE]["ip_address"], "10.48.67.181")
    for command in (
        "show access-lists",
        "show arp",
        "show clock",
        "show crypto isakmp sa detail",
        "show crypto map",
        "show interfaces",
        "show ip access-lists",
        "show ip interface",
        "show ip route",
        "show logging",
        "show users",
    ):
        same(f"{command} is not empty", bool(hub.parse(command)), True)

    hub.configure(f"interface {INSIDE}\n description by unicon")
    told = hub.execute(f"show running-config interface {INSIDE}")
    same("configured", " description by unicon" in told.splitlines(), True)
    try:
        hub.execute("show nonsense")
    except Exception:
        pass
    else:
        sys.exit("unicon takes a refused command for a good one")
    hub.disconnect()


if __name__ == "__main__":
    {"netmiko": netmiko, "napalm": napalm, "pyats": pyats}[sys.argv[1]]()
