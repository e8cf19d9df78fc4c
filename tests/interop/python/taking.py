"""Ways to take a command's output from a running Hubward."""

import subprocess


def by_exec(program, socket):
    """`hubward exec`: what root's local console prints."""

    def take(command):
        argv = [program, "exec", "--socket", socket, command]
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=20).stdout

    return take


def by_netmiko(connection):
    """A session over SSH, as Netmiko reads it: without the blank lines around the output, which parsers expect."""

    def take(command):
        return connection.send_command(command, strip_prompt=True, strip_command=True, cmd_verify=True) + "\n"

    return take
