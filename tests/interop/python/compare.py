"""What ntc-templates and Genie made of an output, beside the rows of its JSON: (what, parsed, before[, after]).

`before` and `after` are the JSON's value just before and just behind the text: a counter or a lifetime may have moved on between.
Text that parsers leave as text is brought to the JSON's types here.
"""

import re
from datetime import datetime
from ipaddress import IPv4Network


def seconds(text):
    hours, minutes, rest = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


def number(text):
    """Numbers come as text from TextFSM; what is not there comes as an empty text, `-` or not at all."""
    return None if text in ("", "-", None) else int(text)


def each(what, parsed, before, after):
    """Pairs the parsed entries with the rows, and says how many there are of each."""
    parsed = list(parsed)
    yield f"number of {what}", len(parsed), len(before), len(after)
    if len(parsed) == len(before) == len(after):
        yield from zip(parsed, before, after)


def rows(what, pairs, fields):
    """Applies `fields`, which gives (name, parsed, of a row) for each pair; the first item of `pairs` is the count."""
    for pair in pairs:
        if len(pair) == 4:
            yield pair
            continue
        entry, before, after = pair
        for name, value, of in fields(entry):
            yield f"{what} {name}", value, of(before), of(after)


def table(what, entries, fields):
    """A comparison of entries in the order of the JSON's rows."""
    return lambda parsed, before, after: rows(what, each(what, entries(parsed), before, after), fields)


# ---- addresses and routes


def arp_ntc(entry):
    yield "address", entry.get("address") or entry.get("ip_address"), lambda r: r["address"]
    yield "age", number(entry.get("age_min") or entry.get("age")), lambda r: r["age"]
    yield "mac", entry.get("hardware_address") or entry.get("mac_address"), lambda r: r["mac"]
    yield "interface", entry["interface"], lambda r: r["interface"]


def arp_genie(parsed):
    # grouped by interface; brought back to the order of addresses
    found = [
        (tuple(map(int, neighbor["ip"].split("."))), {**neighbor, "interface": interface})
        for interface, of in parsed["interfaces"].items()
        for neighbor in of["ipv4"]["neighbors"].values()
    ]
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


def arp_genie_fields(entry):
    yield "address", entry["ip"], lambda r: r["address"]
    yield "age", number(entry["age"]), lambda r: r["age"]
    yield "mac", entry["link_layer_address"], lambda r: r["mac"]
    yield "interface", entry["interface"], lambda r: r["interface"]


def route_ntc(entry):
    yield "code", entry["protocol"], lambda r: r["code"]
    yield "destination", f"{entry['network']}/{entry['prefix_length']}", lambda r: r["destination"]
    yield "default", entry["flag"] == "*", lambda r: r["candidate_default"]
    # connected routes print neither
    yield "distance", number(entry["distance"]) or 0, lambda r: r["distance"]
    yield "metric", number(entry["metric"]) or 0, lambda r: r["metric"]
    yield "next hop", entry["nexthop_ip"] or None, lambda r: r["next_hop"]
    yield "interface", entry["nexthop_if"], lambda r: r["interface"]


def route_genie(entry):
    hops = entry["next_hop"]
    hop = hops["next_hop_list"][1] if "next_hop_list" in hops else list(hops["outgoing_interface"].values())[0]
    codes = entry["source_protocol_codes"]
    yield "code", codes.rstrip("*"), lambda r: r["code"]
    yield "destination", entry["route"], lambda r: r["destination"]
    yield "default", codes.endswith("*"), lambda r: r["candidate_default"]
    yield "distance", entry.get("route_preference", 0), lambda r: r["distance"]
    yield "metric", entry.get("metric", 0), lambda r: r["metric"]
    yield "next hop", hop.get("next_hop"), lambda r: r["next_hop"]
    yield "interface", hop["outgoing_interface"], lambda r: r["interface"]


# ---- interfaces


def named(parsed):
    return [{"name": name, **entry} for name, entry in parsed.items()]


def brief_ntc(entry):
    yield "name", entry["interface"], lambda r: r["name"]
    yield "address", entry["ip_address"], lambda r: r["address"]
    yield "status", entry["status"], lambda r: r["status"]
    yield "protocol", entry["proto"], lambda r: r["protocol"]


def brief_genie(entry):
    yield "name", entry["name"], lambda r: r["name"]
    yield "address", entry["ip_address"], lambda r: r["address"]
    yield "method", entry["method"], lambda r: r["method"]
    yield "status", entry["status"], lambda r: r["status"]
    yield "protocol", entry["protocol"], lambda r: r["protocol"]


def ip_interface_ntc(entry):
    yield "name", entry["interface"], lambda r: r["name"]
    yield "status", entry["link_status"], lambda r: r["status"]
    yield "protocol", entry["protocol_status"], lambda r: r["protocol"]
    yield "addresses", entry["ip_address"], lambda r: [r["address"]]
    yield "prefix lengths", entry["prefix_length"], lambda r: [str(r["prefix_length"])]
    yield "mtu", number(entry["mtu"]), lambda r: r["mtu"]
    yield "input list", entry["inbound_acl"], lambda r: r["access_in"] or ""
    yield "output list", entry["outgoing_acl"], lambda r: r["access_out"] or ""


def ip_interface_genie(entry):
    yield "name", entry["name"], lambda r: r["name"]
    yield "status", entry["oper_status"], lambda r: r["status"]
    yield "addresses", list(entry["ipv4"]), lambda r: [f"{r['address']}/{r['prefix_length']}"]
    yield "mtu", entry["mtu"], lambda r: r["mtu"]
    yield "input list", entry.get("inbound_access_list"), lambda r: r["access_in"]
    yield "output list", entry.get("outbound_access_list"), lambda r: r["access_out"]
    yield "proxy ARP", entry["proxy_arp"], lambda r: r["proxy_arp"]
    yield "redirects", entry["icmp"]["redirects"] == "always sent", lambda r: r["redirects"]
    yield "unreachables", entry["icmp"]["unreachables"] == "always sent", lambda r: r["unreachables"]


def interfaces_ntc(entry):
    yield "name", entry["interface"], lambda r: r["name"]
    yield "status", entry["link_status"], lambda r: r["status"]
    yield "protocol", entry["protocol_status"], lambda r: r["protocol"]
    yield "description", entry["description"], lambda r: r["description"]
    yield "address", entry["ip_address"], lambda r: r["address"]
    yield "prefix length", number(entry["prefix_length"]), lambda r: r["prefix_length"]
    yield "mac", entry["mac_address"], lambda r: r["mac"]
    yield "mtu", number(entry["mtu"]), lambda r: r["mtu"]
    yield "packets in", number(entry["input_packets"]), lambda r: r["packets_in"]
    yield "packets out", number(entry["output_packets"]), lambda r: r["packets_out"]
    yield "errors in", number(entry["input_errors"]), lambda r: r["errors_in"]
    yield "errors out", number(entry["output_errors"]), lambda r: r["errors_out"]


def interfaces_genie(entry):
    yield "name", entry["name"], lambda r: r["name"]
    yield "status", entry["oper_status"], lambda r: r["status"]
    yield "protocol", entry["line_protocol"], lambda r: r["protocol"]
    yield "description", entry["description"], lambda r: r["description"]
    yield "addresses", list(entry["ipv4"]), lambda r: [f"{r['address']}/{r['prefix_length']}"]
    yield "mac", entry["mac_address"], lambda r: r["mac"]
    yield "mtu", entry["mtu"], lambda r: r["mtu"]
    for theirs, ours in [
        ("in_pkts", "packets_in"),
        ("in_octets", "bytes_in"),
        ("in_errors", "errors_in"),
        ("out_pkts", "packets_out"),
        ("out_octets", "bytes_out"),
        ("out_errors", "errors_out"),
    ]:
        yield theirs, entry["counters"][theirs], lambda r, ours=ours: r[ours]


def run_interface(address_of):
    def compare(parsed, before, _):
        lines = [row["text"].split() for row in before]
        [address] = [line[2:4] for line in lines if line[:2] == ["ip", "address"]]
        [description] = [" ".join(line[1:]) for line in lines if line[:1] == ["description"]]
        name, found, text = address_of(parsed)
        yield "interface", name, lines[0][1]
        yield "address", found, address
        yield "description", text, description

    return compare


def run_interface_genie(parsed):
    [(name, entry)] = parsed["interfaces"].items()
    return name, [entry["ipv4"]["ip"], entry["ipv4"]["netmask"]], entry["description"]


# ---- ISAKMP


def isakmp_genie(parsed):
    return parsed["isakmp_stats"]["IPv4"].values()


def isakmp(entry):
    yield "destination", entry["destination"], lambda r: r["remote"] if r["initiator"] else r["local"]
    yield "source", entry["source"], lambda r: r["local"] if r["initiator"] else r["remote"]
    yield "state", entry["session_state"], lambda r: r["state"]
    yield "conn-id", entry["conn_id"], lambda r: r["conn_id"]
    yield "status", entry["status"], lambda r: r["status"]


def isakmp_detail(entry):
    yield "conn-id", entry["c_id"], lambda r: r["conn_id"]
    yield "local", entry["local_ip"], lambda r: r["local"]
    yield "remote", entry["remote_ip"], lambda r: r["remote"]
    yield "status", entry["status"], lambda r: r["status"]
    yield "encryption", entry["encr_algo"], lambda r: r["encryption"]
    yield "hash", entry["hash_algo"], lambda r: r["hash"]
    yield "authentication", entry["auth_type"], lambda r: r["authentication"]
    yield "group", entry["dh_group"], lambda r: r["dh_group"]
    yield "lifetime", seconds(entry["lifetime"]), lambda r: r["lifetime"]
    yield "capabilities", entry["capabilities"], lambda r: r["capabilities"]


# ---- IPsec


def flows_genie(parsed):
    return [
        {**flow, "interface": interface, "map": of["crypto_map_tag"], "address": of["local_addr"]}
        for interface, of in parsed["interface"].items()
        for flow in of["ident"].values()
    ]


def flow_genie(entry):
    yield "interface", entry["interface"], lambda r: r["interface"]
    yield "map", entry["map"], lambda r: r["crypto_map"]
    yield "local address", entry["address"], lambda r: r["local_address"]
    for side in ("local", "remote"):
        ident = entry[f"{side}_ident"]
        proxy = [ident["addr"], ident["mask"], int(ident["prot"]), int(ident["port"])]
        yield f"{side} proxy", proxy, lambda r, side=side: list(r[side].values())
    yield "peer", [entry["peer_ip"]], lambda r: r["peers"]
    yield "port", entry["port"], lambda r: r["peer_port"]
    yield "acl", entry["acl"] == "origin_is_acl,", lambda r: r["origin_is_acl"]
    for name in ("encaps", "encrypt", "digest"):
        yield name, entry[f"pkts_{name}"], lambda r: r["encaps"]
    for name in ("decaps", "decrypt", "verify"):
        yield name, entry[f"pkts_{name}"], lambda r: r["decaps"]
    for theirs, ours in [
        ("send_errors", "send_errors"),
        ("recv_errors", "recv_errors"),
        ("pkts_verify_failed", "verify_errors"),
        ("pkts_invalid_identity_recv", "identity_errors"),
        ("pkts_replay_failed_rcv", "replay_errors"),
        ("plaintext_mtu", "plaintext_mtu"),
        ("path_mtu", "path_mtu"),
        ("ip_mtu", "ip_mtu"),
    ]:
        if theirs in entry:
            yield theirs, entry[theirs], lambda r, ours=ours: r[ours]
    yield "current SPI", spi(entry["current_outbound_spi"]), lambda r: r["current_outbound_spi"]
    for way in ("inbound", "outbound"):
        sas = entry[f"{way}_esp_sas"]["spi"].items()
        yield f"{way} SPIs", [spi(text) for text, _ in sas], lambda r, way=way: [sa["spi"] for sa in r[way]]
        for index, (_, sa) in enumerate(sas):
            kilobytes, left = map(int, sa["remaining_key_lifetime"].strip("()").split("/"))
            of = lambda field, way=way, index=index: lambda r: r[way][index][field]
            yield f"{way} transform", sa["transform"], of("transform")
            yield f"{way} settings", sa["in_use_settings"].strip(", "), of("settings")
            # the parser for `interface` has other names for these two
            for theirs, ours in [("conn_id", "conn_id"), ("flow_id_val", "flow_id")]:
                if theirs in sa:
                    yield f"{way} {ours}", sa[theirs], of(ours)
            yield f"{way} kilobytes", kilobytes, of("kilobytes")
            yield f"{way} seconds", left, of("seconds")
            yield f"{way} IV", sa["iv_size"], lambda r, way=way, index=index: f"{r[way][index]['iv_bytes']} bytes"


def spi(text):
    hexadecimal, decimal = re.fullmatch(r"0x([0-9A-F]+)\((\d+)\)", text).groups()
    return int(decimal) if int(hexadecimal, 16) == int(decimal) else text


def flow_sas_ntc(parsed, before, after):
    """The template gives a row for each SA, with its flow's values in it."""
    both = lambda of: [(r, way, sa) for r in of for way in ("inbound", "outbound") for sa in r[way]]

    def fields(entry):
        yield "interface", entry["interface"], lambda p: p[0]["interface"]
        yield "map", entry["crypto_map_tag"], lambda p: p[0]["crypto_map"]
        yield "local address", entry["local_addr"], lambda p: p[0]["local_address"]
        for side in ("local", "remote"):
            proxy = [entry[f"{side}_ident_{what}"] for what in ("addr", "mask", "prot", "port")]
            yield f"{side} proxy", proxy, lambda p, side=side: [str(value) for value in p[0][side].values()]
        yield "peer", [entry["current_peer"]], lambda p: p[0]["peers"]
        yield "encaps", number(entry["pkts_encaps"]), lambda p: p[0]["encaps"]
        yield "decaps", number(entry["pkts_decaps"]), lambda p: p[0]["decaps"]
        yield "verify failed", number(entry["pkts_verify_failed"]), lambda p: p[0]["verify_errors"]
        yield "invalid identity", number(entry["pkts_invalid_identity"]), lambda p: p[0]["identity_errors"]
        yield "replay failed", number(entry["pkts_replay_failed"]), lambda p: p[0]["replay_errors"]
        yield "mtu", number(entry["plaintext_mtu"]), lambda p: p[0]["plaintext_mtu"]
        yield "current SPI", number(entry["current_outbound_spi_dec"]), lambda p: p[0]["current_outbound_spi"]
        yield "way", entry["sa_orientation"], lambda p: p[1]
        yield "SPI", number(entry["sa_spi_dec"]), lambda p: p[2]["spi"]
        yield "SPI in hexadecimal", int(entry["sa_spi_hex"], 16), lambda p: p[2]["spi"]
        yield "transform", entry["sa_transform"], lambda p: p[2]["transform"]
        yield "settings", entry["sa_in_use_settings"], lambda p: p[2]["settings"]
        yield "conn id", number(entry["sa_conn_id"]), lambda p: p[2]["conn_id"]
        yield "kilobytes", number(entry["sa_lifetime_kbytes"]), lambda p: p[2]["kilobytes"]
        yield "seconds", number(entry["sa_lifetime_sec"]), lambda p: p[2]["seconds"]
        yield "window", number(entry["sa_replay_window_size"]), lambda p: p[2]["replay_window"]

    return rows("SA", each("SAs", parsed, both(before), both(after)), fields)


def map_genie(parsed, before, after):
    """Of several entries of a map the last one remains, with the peers of all."""
    [(name, entry)] = parsed["ipv4"]["crypto_map_tag"].items()
    last = before[-1]
    yield "map", name, last["map"]
    yield "sequence", entry["sequence_number"], last["sequence"]
    yield "peers", entry["peer"], [peer for row in before for peer in row["peers"]]
    yield "current peer", entry["current_peer"], last["current_peer"]
    lifetime = entry["security_association_lifetime"]
    yield "lifetime", (lifetime["kilobytes"], lifetime["seconds"]), (last["kilobytes"], last["seconds"])
    sets = {of["name"]: of["transforms"] for of in last["transform_sets"]}
    yield "transform sets", entry["transform_sets"], sets
    yield "interfaces", entry["interfaces_crypto_map"]["interfaces"], last["interfaces"]


def network(row, side):
    net = IPv4Network(f"{row[side]}/{row[f'{side}_mask']}")
    return f"host {net.network_address}" if net.prefixlen == 32 else f"{net.network_address}/{net.netmask}"


def permitted(row):
    return f"permit {row['protocol']} {network(row, 'local')} {network(row, 'remote')}"


def session_common(entry):
    yield "interface", entry["name"], lambda r: r["interface"]
    yield "status", entry["session_status"], lambda r: r["status"]
    if "uptime" in entry:
        yield "uptime", seconds(entry["uptime"]), lambda r: r["uptime"]
    for theirs, ours in [
        ("user_name", "username"),
        ("profile", "profile"),
        ("group", "group"),
        ("assigned_address", "assigned_address"),
    ]:
        # the parser for `remote` knows no users
        if theirs in entry or "peer_ip" not in entry:
            yield theirs, entry.get(theirs), lambda r, ours=ours: r[ours]


def session_genie(entry):
    yield from session_common(entry)
    [(peer, of)] = entry["peer"].items()
    [(port, of)] = of["port"].items()
    yield "peer", peer, lambda r: r["peer"]
    yield "port", int(port), lambda r: r["port"]
    if "phase1_id" in of:
        yield "phase1_id", of["phase1_id"], lambda r: r["phase1_id"]
    for index, sa in enumerate(of["ike_sa"].values()):
        ike = lambda field, index=index: lambda r: r["isakmp_sas"][index][field]
        yield "local", sa["local"], ike("local")
        yield "local port", int(sa["local_port"]), ike("local_port")
        yield "remote", sa["remote"], ike("remote")
        yield "remote port", int(sa["remote_port"]), ike("remote_port")
        yield "active", sa["sa_status"] == "Active", ike("active")
        if "conn_id" in sa:
            yield "conn id", int(sa["conn_id"]), ike("conn_id")
            yield "capabilities", sa["capabilities"], ike("capabilities")
            yield "lifetime", seconds(sa["lifetime"]), ike("lifetime")
    yield "flows", list(of["ipsec_flow"]), lambda r: [permitted(flow) for flow in r["flows"]]
    for index, flow in enumerate(of["ipsec_flow"].values()):
        ours = lambda field, index=index: lambda r: r["flows"][index][field]
        yield "active SAs", flow["active_sas"], ours("active_sas")
        yield "origin", flow["origin"], ours("origin")
        if "inbound_pkts_decrypted" in flow:
            yield "decrypted", flow["inbound_pkts_decrypted"], ours("decrypted")
            yield "encrypted", flow["outbound_pkts_encrypted"], ours("encrypted")
            yield "drops", flow["inbound_pkts_drop"], ours("inbound_drops")
            yield "kilobytes", int(flow["inbound_life_kb"]), ours("inbound_kilobytes")
            yield "lifetime", int(flow["inbound_life_secs"]), ours("lifetime")


def session_remote_genie(entry):
    yield from session_common(entry)
    yield "peer", entry["peer_ip"], lambda r: r["peer"]
    yield "port", entry["peer_port"], lambda r: r["port"]
    if "phase_id" in entry:
        yield "phase1_id", entry["phase_id"], lambda r: r["phase1_id"]
    sa = entry["IKEv1"]
    for theirs, ours in [("local_ip", "local"), ("local_port", "local_port"), ("remote_ip", "remote"), ("connid", "conn_id")]:
        if theirs in sa:
            yield theirs, sa[theirs], lambda r, ours=ours: r["isakmp_sas"][0][ours]
    for index, flow in enumerate(entry["ipsec_flow"].values()):
        ours = lambda field, index=index: lambda r: r["flows"][index][field]
        yield "flow", flow["flow"], lambda r, index=index: permitted(r["flows"][index])
        yield "active SAs", flow["active_sa"], ours("active_sas")
        yield "origin", flow["origin"], ours("origin")
        if "inbound" in flow:
            yield "decrypted", flow["inbound"]["decrypted"], ours("decrypted")
            yield "encrypted", flow["outbound"]["encrypted"], ours("encrypted")
            yield "lifetime", flow["inbound"]["life_in_sec"], ours("lifetime")


def session_ntc(entry):
    yield "interface", entry["interface"], lambda r: r["interface"]
    yield "status", entry["session_status"], lambda r: r["status"]
    yield "profile", entry["profile"], lambda r: r["profile"]
    yield "uptime", seconds(entry["uptime"]), lambda r: r["uptime"]
    yield "peer", entry["peer"], lambda r: r["peer"]
    yield "port", number(entry["port"]), lambda r: r["port"]
    yield "phase1_id", entry["phase1_id"], lambda r: r["phase1_id"]
    yield "local", entry["local_ip"], lambda r: r["isakmp_sas"][0]["local"]
    yield "conn id", number(entry["conn_id"]), lambda r: r["isakmp_sas"][0]["conn_id"]
    yield "capabilities", entry["capabilities"], lambda r: r["isakmp_sas"][0]["capabilities"]
    yield "lifetime", seconds(entry["lifetime"]), lambda r: r["isakmp_sas"][0]["lifetime"]
    yield "source", [entry["src_host"], entry["src_mask"]], lambda r: [r["flows"][0]["local"], r["flows"][0]["local_mask"]]
    yield "destination", [entry["dst_host"], entry["dst_mask"]], lambda r: [r["flows"][0]["remote"], r["flows"][0]["remote_mask"]]
    yield "active SAs", number(entry["active_sa"]), lambda r: r["flows"][0]["active_sas"]
    yield "origin", entry["origin"], lambda r: r["flows"][0]["origin"]


# ---- access lists


def ace(action, protocol, source, destination):
    return f"{action} {protocol} {source} {destination}"


def lines(of):
    return [(row, line) for row in of for line in row["lines"]]


def acl_ntc(parsed, before, after):
    def fields(entry):
        source = entry.get("source") or f"{entry['src_network']} {entry['src_wildcard']}"
        destination = entry.get("destination") or f"{entry['dst_network']} {entry['dst_wildcard']}"
        yield "list", entry.get("name") or entry.get("acl_name"), lambda p: p[0]["name"]
        yield "kind", (entry.get("type") or entry.get("acl_type")).lower(), lambda p: p[0]["kind"]
        yield "sequence", number(entry.get("sn") or entry.get("line_num")), lambda p: p[1]["sequence"]
        yield "line", ace(entry["action"], entry["protocol"], source, destination), lambda p: p[1]["text"]
        # a line without a match says nothing of it
        yield "matches", number(entry["matches"]) or 0, lambda p: p[1]["matches"]

    # one of the templates gives a row for the list's headline too
    entries = [entry for entry in parsed if entry["action"]]
    return rows("access list", each("lines", entries, lines(before), lines(after)), fields)


def acl_genie(parsed, before, after):
    entries = [(of, entry) for of in parsed.values() for entry in of["aces"].values()]

    def fields(pair):
        of, entry = pair
        [(version, l3)] = entry["matches"]["l3"].items()
        [source] = l3["source_network"]
        [destination] = l3["destination_network"]
        # Genie writes its own word for `ip`
        protocol = {"ipv4": "ip"}[l3["protocol"]]
        yield "list", of["name"], lambda p: p[0]["name"]
        yield "kind", of["acl_type"], lambda p: p[0]["kind"]
        yield "sequence", int(entry["name"]), lambda p: p[1]["sequence"]
        line = ace(entry["actions"]["forwarding"], protocol, source, destination)
        yield "line", line, lambda p: p[1]["text"]
        yield "matches", entry.get("statistics", {}).get("matched_packets", 0), lambda p: p[1]["matches"]

    return rows("access list", each("lines", entries, lines(before), lines(after)), fields)


# ---- the system


def moment(row):
    return datetime.fromisoformat(row["time"]).timestamp()


def clock(entry_of, day):
    def compare(parsed, before, after):
        entry = entry_of(parsed)
        text = f"{entry['year']} {entry['month']} {entry['day']} {entry['time']} +0000"
        told = datetime.strptime(text, "%Y %b %d %H:%M:%S.%f %z")
        yield "time", told.timestamp(), moment(before[0]), moment(after[0])
        yield "day of the week", entry[day], told.strftime("%a")
        yield "zone", entry["timezone"], "UTC"

    return compare


def logging_ntc(parsed, before, after):
    def fields(entry):
        yield "facility", entry["facility"], lambda r: r["facility"]
        yield "severity", number(entry["severity"]), lambda r: r["severity"]
        yield "mnemonic", entry["mnemonic"], lambda r: r["mnemonic"]
        yield "text", " ".join(entry["message"]), lambda r: " ".join(r["text"].split())
        stamp = f"{entry['month']} {entry['day']} {entry['time']}"
        yield "time", stamp, lambda r: f"{datetime.fromisoformat(r['time']):%b %-d %H:%M:%S.}{r['time'][20:23]}"

    # what was logged since the JSON before cannot be in it
    return rows("message", each("messages", parsed[: len(before)], before, after[: len(before)]), fields)


def logging_genie(parsed, before, after):
    logs = parsed.get("logs", [])
    yield "number of messages", len(logs), len(before), len(after)
    yield "buffered", parsed["logging"]["buffer"]["messages_logged"], len(before), len(after)
    for line, row in zip(logs, before):
        stamp = f"{datetime.fromisoformat(row['time']):%b %e %H:%M:%S.}{row['time'][20:23]}"
        yield "message", line, f"{stamp}: %{row['facility']}-{row['severity']}-{row['mnemonic']}: {row['text']}".rstrip()


def users_ntc(entry):
    yield "line", entry["line"].lstrip("* ").split(" ", 1)[1], lambda r: r["line"]
    # the template takes `idle`, what a nameless user does, for the name
    yield "user", entry["user"].replace("idle", ""), lambda r: r["user"]
    yield "own", entry["line"].startswith("*"), lambda r: r["own"]
    yield "location", entry["location"], lambda r: r["location"]


def users_genie(entry):
    yield "line", entry["name"].split(" ", 1)[1], lambda r: r["line"]
    yield "user", entry.get("user", ""), lambda r: r["user"]
    yield "own", entry["active"], lambda r: r["own"]
    yield "idle", seconds(entry["idle"]), lambda r: r["idle"]


def archive_genie(parsed, before, after):
    yield "archives", "not enabled" in parsed["archive"]["error"], before == []


def version_ntc(parsed, before, after):
    [entry] = parsed
    yield "hostname", entry["hostname"], before[0]["hostname"]
    yield "uptime in minutes", number(entry["uptime_minutes"]), before[0]["uptime"] // 60, after[0]["uptime"] // 60


def privilege_genie(parsed, before, after):
    yield "level", parsed["current_privilege_level"], before[0]["level"]


def run_interface_ntc(parsed):
    [entry] = parsed
    return entry["interface"], [entry["ip_address"], entry["netmask"]], entry["description"]


def session_table(fields):
    return table("session", lambda p: named(p.get("interface") or p["interfaces"]), fields)


NTC = {
    "show access-lists": acl_ntc,
    "show arp": table("neighbour", list, arp_ntc),
    "show clock": clock(lambda parsed: parsed[0], "dayweek"),
    "show crypto ipsec sa detail": flow_sas_ntc,
    "show crypto session detail": table("session", list, session_ntc),
    "show interfaces": table("interface", list, interfaces_ntc),
    "show interfaces FastEthernet0/0": table("interface", list, interfaces_ntc),
    "show ip access-lists": acl_ntc,
    "show ip arp": table("neighbour", list, arp_ntc),
    "show ip interface": table("interface", list, ip_interface_ntc),
    "show ip interface FastEthernet0/0": table("interface", list, ip_interface_ntc),
    "show ip interface brief": table("interface", list, brief_ntc),
    "show ip route": table("route", list, route_ntc),
    "show logging": logging_ntc,
    "show running-config interface FastEthernet0/0": run_interface(run_interface_ntc),
    "show users": table("user", list, users_ntc),
    "show version": version_ntc,
}

GENIE = {
    "show access-lists": acl_genie,
    "show archive": archive_genie,
    "show arp": table("neighbour", arp_genie, arp_genie_fields),
    "show clock": clock(lambda parsed: parsed, "day_of_week"),
    "show crypto ipsec sa": table("flow", flows_genie, flow_genie),
    "show crypto ipsec sa detail": table("flow", flows_genie, flow_genie),
    "show crypto ipsec sa interface FastEthernet0/0": table("flow", flows_genie, flow_genie),
    "show crypto ipsec sa peer 10.100.2.102": table("flow", flows_genie, flow_genie),
    "show crypto isakmp sa": table("SA", isakmp_genie, isakmp),
    "show crypto isakmp sa detail": table("SA", isakmp_genie, isakmp_detail),
    "show crypto map": map_genie,
    "show crypto session": session_table(session_genie),
    "show crypto session detail": session_table(session_genie),
    "show crypto session remote 10.100.2.102": session_table(session_remote_genie),
    "show crypto session remote 10.100.2.102 detail": session_table(session_remote_genie),
    "show crypto session remote 10.51.82.100": session_table(session_remote_genie),
    "show interfaces": table("interface", named, interfaces_genie),
    "show interfaces FastEthernet0/0": table("interface", named, interfaces_genie),
    "show ip access-lists": acl_genie,
    "show ip arp": table("neighbour", arp_genie, arp_genie_fields),
    "show ip interface": table("interface", named, ip_interface_genie),
    "show ip interface FastEthernet0/0": table("interface", named, ip_interface_genie),
    "show ip interface brief": table("interface", lambda p: named(p["interface"]), brief_genie),
    "show ip route": table(
        "route", lambda p: p["vrf"]["default"]["address_family"]["ipv4"]["routes"].values(), route_genie
    ),
    "show logging": logging_genie,
    "show privilege": privilege_genie,
    "show running-config interface FastEthernet0/0": run_interface(run_interface_genie),
    "show users": table("user", lambda p: named(p["line"]), users_genie),
}
