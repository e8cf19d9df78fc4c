"""Done when 3: what the show commands print parses by ntc-templates and Genie, and the values are those of `| json`.

parsers.py STAGE PROGRAM SOCKET

STAGE names the tunnels that are up: `none`, `spoke`, `both` (with a VPN client). Every command that one of the two has a
template or a parser for is parsed. Where that fails, ../parsers-excused.toml must say why; an excuse that is not needed fails too.
"""

import contextlib
import io
import json
import pathlib
import sys
import tomllib

from compare import GENIE, NTC
from genie.conf.base import Device
from genie.libs.parser.utils import get_parser
from ntc_templates.parse import parse_output
from taking import by_exec

# how each command of the gateway is spelled; those without a parser are looked up too, lest one that appears be missed
COMMANDS = """
show access-lists
show archive
show arp
show clock
show crypto dynamic-map
show crypto engine brief
show crypto engine connections active
show crypto engine connections dropped-packet
show crypto ipsec sa
show crypto ipsec sa detail
show crypto ipsec sa interface FastEthernet0/0
show crypto ipsec sa map mymap
show crypto ipsec sa peer 10.100.2.102
show crypto ipsec transform-set
show crypto isakmp key
show crypto isakmp peers
show crypto isakmp policy
show crypto isakmp profile
show crypto isakmp sa
show crypto isakmp sa detail
show crypto map
show crypto map tag mymap
show crypto session
show crypto session brief
show crypto session detail
show crypto session isakmp group testgroup
show crypto session remote 10.100.2.102
show crypto session remote 10.100.2.102 detail
show crypto session remote 10.51.82.100
show crypto session username gfullage
show debugging
show interfaces
show interfaces FastEthernet0/0
show ip access-lists
show ip arp
show ip interface
show ip interface FastEthernet0/0
show ip interface brief
show ip local pool
show ip route
show logging
show privilege
show running-config
show running-config interface FastEthernet0/0
show startup-config
show users
show version
""".split("\n")[1:-1]


def genie():
    device = Device("Hub", os="iosxe")
    device.custom.abstraction = {"order": ["os"]}

    def parse(command, text):
        # Genie prints what it thinks of an output that it cannot read
        with contextlib.redirect_stdout(io.StringIO()):
            return device.parse(command, output=text)

    def knows(command):
        with contextlib.suppress(Exception):
            return bool(get_parser(command, device))
        return False

    return parse, knows


def ntc():
    from ntc_templates.parse import _get_template_dir
    from textfsm.clitable import CliTable

    index = CliTable("index", _get_template_dir()).index

    def parse(command, text):
        return parse_output(platform="cisco_ios", command=command, data=text)

    def knows(command):
        return bool(index.GetRowMatch({"Command": command, "Platform": "cisco_ios"}))

    return parse, knows


def differences(triples):
    """(what, parsed, before, after): a value that moves lies between those of the JSON before and behind the text."""
    for what, parsed, *known in triples:
        before, after = known if len(known) == 2 else (known[0], known[0])
        if parsed == before or parsed == after:
            continue
        numbers = all(isinstance(value, (int, float)) for value in (parsed, before, after))
        if not (numbers and min(before, after) <= parsed <= max(before, after)):
            yield f"{what}: parsed {parsed!r}, the JSON has {before!r}" + ("" if before == after else f" … {after!r}")


def check(stage, take):
    excuses = tomllib.loads((pathlib.Path(__file__).parent / "../parsers-excused.toml").read_text())["excused"]
    # "stage: command" of each parser, and why
    excused = {(e["parser"], case): e["reason"] for e in excuses for case in e["cases"]}
    failures, parsed_count = [], 0
    used = set()
    for command in COMMANDS:
        rows = lambda: json.loads(take(f"{command} | json"))["rows"]
        for name, (parse, knows), comparisons in [("genie", genie(), GENIE), ("ntc-templates", ntc(), NTC)]:
            if not knows(command):
                continue
            key = (name, f"{stage}: {command}")
            key = key if key in excused else (name, f"any: {command}")
            try:
                before, text, after = rows(), take(command), rows()
                triples = list(comparisons[command](parse(command, text), before, after))
                wrong = list(differences(triples))
                if not triples:
                    wrong = ["nothing was compared"]
            except Exception as e:
                wrong = [f"{type(e).__name__}: {e}"]
            if wrong and key in excused:
                used.add(key)
            elif wrong:
                failures.append(f"{name}: {command}:\n  " + "\n  ".join(wrong[:8]) + f"\n{text}")
            elif key in excused:
                failures.append(f"{name}: {command}: parses, yet {key[1]!r} is excused: {excused[key]}")
            else:
                parsed_count += 1
                print(f"{stage}: {name}: {command}: {len(triples)} values")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{stage}: {parsed_count} outputs parsed with the JSON's values, {len(used)} excused, {len(failures)} failed")
    return not failures


if __name__ == "__main__":
    stage, program, socket = sys.argv[1:]
    sys.exit(0 if check(stage, by_exec(program, socket)) else 1)
