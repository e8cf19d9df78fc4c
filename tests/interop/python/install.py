"""Makes the virtual environment of the interop tests: install.py DIRECTORY

Runs under any Python 3.11 or later that has `venv`, and uses pip's configured index. What is there already from the same
requirements is kept; what was interrupted is made anew.
"""

import pathlib
import shutil
import subprocess
import sys
import venv
import zipfile

HERE = pathlib.Path(__file__).parent
# the collections come in the package `ansible` with a hundred others; these are the ones that are used
COLLECTIONS = [f"ansible_collections/{name}/" for name in ("cisco/ios", "ansible/netcommon", "ansible/utils")]


def main(directory: pathlib.Path) -> None:
    wanted = "\n".join([sys.version, *((HERE / name).read_text() for name in ("requirements.txt", "collections.txt"))])
    stamp = directory / "made-from"
    if stamp.exists() and stamp.read_text() == wanted:
        print(f"{directory} is as wanted")
        return
    shutil.rmtree(directory, ignore_errors=True)
    venv.create(directory, with_pip=True)
    pip = [directory / "bin/python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", "-r", HERE / "requirements.txt"], check=True)
    wheels = directory / "wheels"
    fetch = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", wheels]
    subprocess.run([*pip, *fetch, "-r", HERE / "collections.txt"], check=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.startswith(tuple(COLLECTIONS))]
            archive.extractall(directory / "collections", members)
    shutil.rmtree(wheels)
    for name in COLLECTIONS:
        if not (directory / "collections" / name).is_dir():
            sys.exit(f"collections.txt brings no {name}")
    stamp.write_text(wanted)
    print(f"made {directory}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
