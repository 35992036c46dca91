"""From an unpacked folder to a running JupyterLab: `python start.py`.

Makes .venv, installs what the labs need, gets the course model, opens lab 00. What is done already is
skipped, so run it again whenever it was interrupted, and every time you want to work. Whatever follows is
handed to JupyterLab: `python start.py --no-browser --port 9999`.
"""

# The system's Python reads this, however old it is: no f-string, no annotation, the standard library alone.
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(HERE, ".venv")
PYTHON = os.path.join(VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
MARK = os.path.join(VENV, "started")  # holds what was installed from
LISTS = ("pyproject.toml", "constraints.txt")
OLDEST, NEWEST, BROKEN = (3, 11), (3, 14), (3, 14, 1)  # its dataclasses are: networkx is not imported there
OFFLINE = ("NewConnectionError", "ConnectTimeoutError", "Failed to establish a new connection", "ProxyError")


def main(arguments):
    """Everything in order; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a letter that the terminal lacks is escaped
            stream.reconfigure(errors="backslashreplace")
    if not OLDEST <= sys.version_info[:2] <= NEWEST or sys.version_info[:3] == BROKEN:
        version = ".".join(str(part) for part in sys.version_info[:3])
        return refuse("The labs need Python 3.11 to 3.14 (not 3.14.1), and this is " + version + ".")
    os.chdir(HERE)  # nbgrader_config.py is read from here
    problem = "" if installed() else install()
    if problem:
        return refuse(problem)
    if subprocess.call([PYTHON, "-m", "labsupport", "fetch"]):
        print("JupyterLab opens all the same; run this again to try once more.")
    return jupyter(arguments)


def refuse(sentence):
    """Say what stands in the way."""
    sys.stderr.write(sentence + "\n")
    return 2


def wanted():
    """A fingerprint of what is to be installed."""
    parts = [HERE.encode()]  # a folder that was moved is installed again
    for name in LISTS:
        with open(os.path.join(HERE, name), "rb") as listed:
            parts.append(listed.read())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def installed():
    """Whether the environment is there, whole, and what the lists say."""
    try:
        with open(MARK) as mark:
            return mark.read() == wanted() and os.path.exists(PYTHON)
    except OSError:
        return False


def install():
    """Make the environment and install into it; what went wrong, or nothing."""
    if not works():
        print("Making an environment in " + VENV)
        sys.stdout.flush()
        if subprocess.call([sys.executable, "-m", "venv", "--clear", VENV]):
            return (
                "Python cannot make an environment here: its reason is above (Debian: install python3-venv)."
            )
    print("Installing what the labs need: several minutes, and some GB on the disk.")
    sys.stdout.flush()
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--constraint", "constraints.txt"]
    for what in (["pip"], ["--editable", "."]):
        status, offline = watched(pip + what)
        if status and offline:
            return "The packages cannot be had: is this machine online? Run this again when it is."
        if status:
            return "The packages could not be installed: pip's reason is above. Run this again to go on."
    with open(MARK, "w") as mark:
        mark.write(wanted())
    return ""


def works():
    """Whether the environment has a Python that starts, and pip."""
    try:
        with open(os.devnull, "w") as nowhere:
            return subprocess.call([PYTHON, "-m", "pip", "--version"], stdout=nowhere, stderr=nowhere) == 0
    except OSError:
        return False


def watched(command):
    """Run a command and show what it says: its exit status, and whether it missed a network."""
    offline = False
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            said = line.decode(errors="replace")
            if not said.startswith("Requirement already satisfied"):
                sys.stdout.write(said)
                sys.stdout.flush()
            offline = offline or any(sign in said for sign in OFFLINE)
        return process.wait(), offline


def jupyter(arguments):
    """Run JupyterLab on the notebooks, lab 00 in front, until it is ended."""
    labs = sorted(name for name in os.listdir("notebooks") if name[:2].isdigit())
    front = "/lab/tree/" + labs[0] + "/" + labs[0] + ".ipynb"
    command = [PYTHON, "-m", "jupyterlab", "--ServerApp.root_dir=" + os.path.join(HERE, "notebooks")]
    command += ["--LabApp.default_url=" + front]
    server = subprocess.Popen(command + arguments)
    while True:
        try:
            return server.wait()
        except KeyboardInterrupt:  # JupyterLab heard it too, and asks
            continue


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("Interrupted. Run this again to go on.")
