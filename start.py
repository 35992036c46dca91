"""From an unpacked folder to a running JupyterLab: `python start.py`.

Makes .venv, installs what the labs need, gets the course model, and opens JupyterLab on the lab that you
worked on last (at first on lab 00). A lab that is new in labs/ is copied to notebooks/, where you work:
unpack a later zip over this folder, and your work stays as it is. What is done already is skipped, so run
it again whenever it was interrupted, and every time you want to work. Options are handed to JupyterLab:
`python start.py --no-browser --port 9999`. `--help` and `--version` are its own.
"""

# The system's Python reads this, however old it is: no f-string, no annotation, the standard library alone.
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
import webbrowser

HERE = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(HERE, ".venv")
PYTHON = os.path.join(VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
MARK = os.path.join(VENV, "started")  # holds what was installed from
LISTS = ("pyproject.toml", "constraints.txt")
OLDEST, NEWEST, BROKEN = (3, 11), (3, 14), (3, 14, 1)  # its dataclasses are: networkx is not imported there
OLDEST_MACOS = 14  # that of torch's wheels
LABS = os.path.join(HERE, "labs")  # as handed out
NOTEBOOKS = os.path.join(HERE, "notebooks")  # yours
SILENT = 20  # seconds without a word from pip until a sign of life
OFFLINE = ("NewConnectionError", "ConnectTimeoutError", "Failed to establish a new connection", "ProxyError")


def main(arguments):
    """Everything in order; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a letter that the terminal lacks is escaped
            stream.reconfigure(errors="backslashreplace")
    if not OLDEST <= sys.version_info[:2] <= NEWEST or sys.version_info[:3] == BROKEN:
        version = ".".join(str(part) for part in sys.version_info[:3])
        return refuse("The labs need Python 3.11 to 3.14 (not 3.14.1), and this is " + version + ".")
    if "--version" in arguments:
        print("pruning-labs " + its_version())
        return 0
    if "-h" in arguments or "--help" in arguments:
        print(__doc__.strip())
        return 0
    os.chdir(HERE)  # nbgrader_config.py is read from here
    lay_out()
    problem = without_torch() or ("" if installed() else install())
    if problem:
        return refuse(problem)
    address = running()
    if address:
        return reopen(address, arguments)
    if subprocess.call([PYTHON, "-m", "labsupport", "fetch"]):
        print("JupyterLab opens anyway; run this again to try once more.")
    return jupyter(arguments)


def refuse(sentence):
    """Say what stands in the way."""
    sys.stderr.write(sentence + "\n")
    return 2


def its_version():
    """The version of the labs that lie here."""
    with open(os.path.join(HERE, "labsupport", "__init__.py")) as text:
        (line,) = [line for line in text if line.startswith("__version__")]
    return line.split('"')[1]


def without_torch():
    """Why there is no PyTorch for this machine; "" where there is one."""
    if (sys.platform, platform.machine().lower()) == ("darwin", "x86_64"):
        return (
            "There is no PyTorch for Macs with an Intel processor any more; the labs need it: use another "
            "machine.\nIf this Mac has an Apple processor, its Python is made for Intel: take one for Apple."
        )
    if (sys.platform, platform.machine().lower()) == ("win32", "arm64"):
        return (
            "There is no PyTorch for Windows on ARM in the package index, and the labs need it: run this\n"
            "in WSL, the Linux inside Windows (`wsl --install`), where there is one."
        )
    version = platform.mac_ver()[0] if sys.platform == "darwin" else ""
    if version and int(version.split(".")[0]) < OLDEST_MACOS:
        return (
            "The labs' PyTorch needs macOS " + str(OLDEST_MACOS) + " or newer, and this is " + version + "."
        )
    return ""


def lay_out():
    """Copy each lab that was handed out to where you work; one that is there stays as it is."""
    for name in sorted(os.listdir(LABS)) if os.path.isdir(LABS) else []:
        given = os.path.join(LABS, name, name + ".ipynb")
        yours = os.path.join(NOTEBOOKS, name, name + ".ipynb")
        if os.path.exists(given) and not os.path.exists(yours):
            os.makedirs(os.path.dirname(yours), exist_ok=True)
            shutil.copyfile(given, yours + ".new")
            os.replace(yours + ".new", yours)


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
    print(downloads())
    sys.stdout.flush()
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install", "--constraint", "constraints.txt"]
    for what in (["pip"], ["--progress-bar", "raw", "--editable", ".[course]"]):
        status, offline = watched(pip + what)
        if status and offline:
            return "The packages cannot be downloaded: is this machine online? Run this again when it is."
        if status:
            return "The packages could not be installed: pip's reason is above. Run this again to go on."
    of_kernels = os.path.join(VENV, "etc", "ipython")  # loads labsupport.kernel, in VS Code's kernels too
    os.makedirs(of_kernels, exist_ok=True)
    shutil.copy(os.path.join(HERE, "labsupport", "jupyter", "ipython_kernel_config.json"), of_kernels)
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


def downloads():
    """What is about to be downloaded."""
    text = "Installing what the labs need: several minutes, about 3 GB on the disk."
    if sys.platform.startswith("linux") and os.uname()[4] == "x86_64":
        text = (
            "Installing what the labs need: several minutes. On Linux, torch comes with CUDA: 3 GB to\n"
            "download, 6 GB on the disk. Without an NVIDIA GPU the CPU build of torch is enough, 3 GB\n"
            "in all: press Ctrl+C, install torch into .venv with the command that pytorch.org shows for\n"
            "Linux, Pip and CPU (the version is in constraints.txt), and run this again."
        )
    return text


def watched(command):
    """Run a command and show what it says: its exit status, and whether it missed a network."""
    offline, started, ended = False, time.time(), threading.Event()
    heard = [started]

    def comfort():
        while not ended.wait(SILENT):
            if time.time() - heard[0] >= SILENT:
                say("still working, " + str(int(time.time() - started)) + " s so far ...\n")

    threading.Thread(target=comfort, daemon=True).start()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            said = line.decode(errors="replace")
            if said.startswith("Progress "):  # "Progress 16384 of 92871040"
                heard[0] = progress(said, heard[0])
            elif not said.startswith("Requirement already satisfied"):
                heard[0] = time.time()
                say(said)
            offline = offline or any(sign in said for sign in OFFLINE)
        ended.set()
        return process.wait(), offline


def progress(said, shown):
    """Show how much of a download has arrived, at most 5 times a second; the time of the last line shown."""
    done, total = (int(each) for each in said.split()[1::2])
    now = time.time()
    if total < 5000000 or (now - shown < 0.2 and done < total):
        return shown
    if sys.stdout.isatty():
        say("\r  " + str(done // 10**6) + " of " + str(total // 10**6) + " MB" + "\n" * (done == total))
    return now


def say(text):
    """Write without delay."""
    sys.stdout.write(text)
    sys.stdout.flush()


def running():
    """The address of a JupyterLab that serves these notebooks already, or nothing."""
    command = [PYTHON, "-m", "jupyter_server", "list", "--jsonlist"]
    try:
        servers = json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL).decode())
    except (OSError, ValueError, subprocess.CalledProcessError):
        return ""
    for server in servers:
        if os.path.realpath(server["root_dir"]) == os.path.realpath(NOTEBOOKS):
            return server["url"] + "lab" + front() + "?token=" + server["token"]
    return ""


def reopen(address, arguments):
    """Open the JupyterLab that runs already in a browser."""
    print("JupyterLab is running already: " + address)
    if "--no-browser" not in arguments:
        webbrowser.open(address)
    return 0


def front():
    """The place in JupyterLab of the lab that was worked on last, or of lab 00."""
    labs = sorted(name for name in os.listdir(NOTEBOOKS) if name[:2].isdigit())
    lab, newest = labs[0], os.path.getmtime(MARK) if os.path.exists(MARK) else 0
    for name in labs:
        path = os.path.join(NOTEBOOKS, name, name + ".ipynb")
        if os.path.exists(path) and os.path.getmtime(path) > newest:
            lab, newest = name, os.path.getmtime(path)
    return "/tree/" + lab + "/" + lab + ".ipynb"


def jupyter(arguments):
    """Run JupyterLab on the notebooks, the lab of last time in front, until it is ended."""
    command = [PYTHON, "-m", "jupyterlab", "--ServerApp.root_dir=" + NOTEBOOKS]
    command += ["--LabApp.default_url=/lab" + front()]
    settings = os.path.join(HERE, "labsupport", "jupyter")  # a student's: idle kernels end, no news
    paths = [settings]
    paths += [each for each in [os.environ.get("JUPYTER_CONFIG_PATH")] if each]
    environment = dict(os.environ, JUPYTER_CONFIG_PATH=os.pathsep.join(paths))
    server = subprocess.Popen(command + arguments, env=environment)
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
