"""S15: difference.py RUNNING FILE: what hier_config would send to make the one the other, both ways. It must be nothing."""

import pathlib
import sys

from hier_config import Platform, WorkflowRemediation, get_hconfig


def read(name):
    lines = pathlib.Path(name).read_text().splitlines()
    # what `show running-config` says before and behind the configuration is not part of it
    skipped = ("Building configuration", "Current configuration", "!")
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith(skipped) and line != "end")


def main():
    running, file = (read(name) for name in sys.argv[1:])
    left = []
    for one, other in ((running, file), (file, running)):
        workflow = WorkflowRemediation(get_hconfig(Platform.CISCO_IOS, one), get_hconfig(Platform.CISCO_IOS, other))
        left += [line.cisco_style_text() for line in workflow.remediation_config.all_children_sorted()]
    if left:
        sys.exit("hier_config finds differences:\n" + "\n".join(left))
    print(f"{len(running.splitlines())} lines, no difference")


if __name__ == "__main__":
    main()
