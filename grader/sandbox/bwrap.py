"""The contents of a sandbox: the bwrap command line, and the environment inside.

Mounted read-only: Python, the system's libraries, the stored models, and labsupport without its
judges and without implementations of the graded lab's exercises, except those that the submission
takes openly. Writable: an empty tmpfs. The only way out is the examiner's socket. Nothing else of
this machine is mounted.
"""

import os
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping
from functools import cache as once
from pathlib import Path

import labsupport
from grader import course
from grader.author import answers, given
from grader.sandbox import covered, devices
from grader.sandbox.limits import Limits
from labsupport import settings
from labsupport.errors import LabError
from labsupport.fetch import cache

INSIDE = Path("/opt/pruning-labs")
DOOR, CACHE, HUB = INSIDE / "examiner.sock", INSIDE / "cache", INSIDE / "hub"
WORK, HOME = Path("/tmp/work"), Path("/tmp/home")
SYSTEM = (Path("/usr"), Path("/usr/local"))
RUNNER = Path(__file__).parent / "inside" / "runner.py"
SUPPORT = Path(labsupport.__file__).parent
MODULES = SUPPORT.parent  # a forked kernel has imported labsupport from this path
JUDGES = SUPPORT / "check" / "judge"
PARTS = ("bin", "lib", "lib32", "lib64", "libexec", "share", "include", "etc", "ssl", "targets", "pyvenv.cfg")
ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "localtime")
KEPT = (
    "PRUNING_LABS_MODEL", "PRUNING_LABS_TEXT", "PRUNING_LABS_DTYPE",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
)  # fmt: skip
DATA = {
    "/etc/passwd": "student:x:1000:1000::/tmp/home:/bin/sh\n",
    "/etc/group": "student:x:1000:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n",
}


def bubblewrap() -> str:
    """The path of bwrap; LabError if it is not installed."""
    found = shutil.which("bwrap")
    if found is None:
        raise LabError(
            "Grading needs bubblewrap: install Debian's package 'bubblewrap' (apt-get install bubblewrap), "
            "or use --isolation none to run submissions unprotected."
        )
    return found


def environment(home: Path, socket: Path | None, models: Path, modules: Path, hub: Path) -> dict[str, str]:
    """The whole environment of a submission; only sizes and thread counts come from the instructor's."""
    kept = KEPT + devices.VARIABLES if devices.used() else KEPT
    return {
        "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(modules),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PRUNING_LABS_CACHE": str(models),
        "PRUNING_LABS_DEVICE": str(settings.device()),
        "HF_HUB_OFFLINE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads sleep, so that other sandboxes can run
        "HF_HUB_CACHE": str(hub / "hub"),
        "HF_DATASETS_CACHE": str(hub / "datasets"),
        **({"PRUNING_LABS_SOCKET": str(socket)} if socket else {}),
        **{name: os.environ[name] for name in kept if name in os.environ},
    }


def hub() -> Path:
    """The user's cache of the model hub, for a course model from the hub."""
    return Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")


def inside(socket: Path | None) -> dict[str, str]:
    """The environment of a submission in its sandbox, with or without the examiner's socket."""
    return environment(HOME, DOOR if socket else None, CACHE, MODULES, HUB)


def sandboxed(
    limits: Limits,
    socket: Path | None,
    lab: int | None,
    taken: Mapping[str, str],
    info: int,
    program: list[str],
) -> tuple[list[str], list[int]]:
    """The bwrap command line for a program, and the file descriptors that it must inherit."""
    command = [
        bubblewrap(),
        "--unshare-user",
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
    ]
    command += ["--unshare-cgroup-try", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    command += ["--hostname", "sandbox", "--new-session", "--die-with-parent", "--as-pid-1", "--clearenv"]
    if "--disable-userns" in _options():
        command += ["--disable-userns"]
    for name, value in inside(socket).items():
        command += ["--setenv", name, value]
    fds = []
    command += ["--info-fd", str(info), *_system(limits)]
    command += _python()
    command += ["--ro-bind", str(SUPPORT), str(SUPPORT)]
    for folder in (JUDGES, given.FOLDER / "__pycache__", answers.FOLDER):
        if folder.is_dir():
            command += ["--tmpfs", str(folder)]
    for path, text in (DATA | _in_place_of_given(lab) | _taken(taken)).items():
        fds.append(_file(text))
        command += ["--ro-bind-data", str(fds[-1]), path]
    for folder in (JUDGES, given.FOLDER / "__pycache__", answers.FOLDER):
        if folder.is_dir():
            command += ["--remount-ro", str(folder)]
    command += [
        "--ro-bind",
        str(RUNNER),
        f"{INSIDE}/runner.py",
        "--ro-bind-try",
        str(cache.folder()),
        str(CACHE),
    ]
    for name in ("hub", "datasets"):  # not the parent folder, which contains the user's token
        command += ["--ro-bind-try", str(hub() / name), f"{HUB}/{name}"]
    if socket:
        command += ["--ro-bind", str(socket), str(DOOR)]
    command += ["--remount-ro", "/", "--chdir", str(WORK), "--"]
    return [*covered.uncovering(), *command, *program], fds


def _in_place_of_given(lab: int | None) -> dict[str, str]:
    """Placeholders for the implementations that this lab is not given: path and text."""
    if lab is None:
        return {}
    return {str(given.FOLDER / name): text for name, text in given.withheld(lab, grading=True).items()}


def _taken(files: Mapping[str, str]) -> dict[str, str]:
    """The given answers that a submission takes: path and text, of text by exercise."""
    package = (answers.FOLDER / "__init__.py").read_text(encoding="utf-8")
    return {str(answers.FOLDER / f"{name}.py"): text for name, text in {"__init__": package, **files}.items()}


@once
def _options() -> str:
    return subprocess.run([bubblewrap(), "--help"], capture_output=True, text=True).stdout


def _file(text: str) -> int:
    """The descriptor of an unnamed file with this text, positioned at its beginning."""
    fd = os.memfd_create("data")
    os.write(fd, text.encode())
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _system(limits: Limits) -> list[str]:
    """Arguments for the system's programs and libraries, /proc, /dev and the empty tmpfs."""
    args = [
        "--proc",
        "/proc",
        *devices.proc(),
        "--dev",
        "/dev",
        "--size",
        str(2**26),
        "--tmpfs",
        "/dev/shm",
    ]
    for prefix in SYSTEM:
        args += _readonly(prefix)
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            args += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            args += ["--ro-bind", str(path), str(path)]
    for name in ETC:
        args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    args += devices.binds()
    args += ["--remount-ro", "/dev", "--size", str(limits.files), "--tmpfs", "/tmp"]
    return [*args, "--dir", str(WORK), "--dir", str(HOME)]


def _readonly(prefix: Path) -> list[str]:
    """Arguments that mount the existing parts of an installation read-only."""
    args = []
    for part in PARTS:
        if (prefix / part).exists():
            args += ["--ro-bind", str(prefix / part), str(prefix / part)]
    return args


def _python() -> list[str]:
    """Arguments for this interpreter and its packages, without the grader and other hidden folders."""
    interpreter = Path(os.path.realpath(sys.executable)).parent.parent
    args, folders = (
        [],
        {Path(sys.base_prefix), interpreter, Path(sys.prefix)} - {Path("/usr"), Path("/usr/local")},
    )
    for prefix in sorted(folders):
        args += _readonly(prefix)
    places = [Path(place) for place in site_folders()]
    for place in places:
        args += ["--ro-bind", str(place), str(place)]
    hidden = [
        course.folder(),
        course.SOLUTIONS,
        RUNNER.parent.parent.parent,  # the grader
        *(Path(p) / "grader" for p in site.getsitepackages()),
    ]
    seen = [Path(args[i + 1]) for i, word in enumerate(args) if word == "--ro-bind"]
    seen += [Path(prefix, part) for prefix in ("/usr", "/usr/local") for part in PARTS]
    for secret in hidden:
        if secret.is_dir() and any(secret.is_relative_to(each) for each in seen):
            args += ["--tmpfs", str(secret), "--remount-ro", str(secret)]
    return args


@once
def site_folders() -> tuple[str, ...]:
    """Folders that .pth files add to this interpreter's path, without its own and the checkout."""
    listing = subprocess.run([sys.executable, "-I", "-c", "import sys; print(*sys.path, sep='\\n')"],
                             capture_output=True, text=True).stdout.splitlines()  # fmt: skip
    own = {Path(sys.prefix), Path(sys.base_prefix), Path("/usr")}
    return tuple(
        path
        for path in listing
        if os.path.isdir(path)
        and not any(Path(path).is_relative_to(each) for each in own)
        and not course.ROOT.is_relative_to(path)
    )
