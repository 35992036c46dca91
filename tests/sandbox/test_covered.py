"""Something is mounted over a part of /proc, as nvidia's toolkit does in containers: sandboxes are made."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader import course
from grader.sandbox import covered

MOUNTED = """\
22 27 0:21 / /proc rw - proc proc rw
61 22 0:30 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw
62 22 0:31 / /proc/driver/nvidia rw - tmpfs tmpfs rw
63 62 0:32 / /proc/driver/nvidia/gpus/a\\040b ro - tmpfs tmpfs rw
64 27 0:33 / /process rw - tmpfs tmpfs rw
"""
IN_A_CONTAINER = """
import os, sys
from pathlib import Path
from grader.sandbox.run import run_command
from labsupport.errors import LabError

if sys.argv[1] != "0":
    os.setgroups([])
    os.setuid(int(sys.argv[1]))
try:
    outcome = run_command(["/bin/sh", "-c", "ls -d /proc/[0-9]*; cat /proc/1/comm"], {}, None)
    print(outcome.status, *outcome.output.split())
except LabError as problem:
    print("LabError", problem)
print("still covered" if not os.listdir("/proc/driver") else "uncovered")
"""
COVER = 'mount -t tmpfs none /proc/driver && exec "$@"'


def test_the_mounts_that_cover(tmp_path):
    """The innermost first; names with a space; an always empty folder hides nothing."""
    (tmp_path / "mountinfo").write_text(MOUNTED)
    found = covered.covers(tmp_path / "mountinfo")
    assert found == ["/proc/driver/nvidia/gpus/a b", "/proc/driver/nvidia"]


def in_a_container(user: int) -> str:
    """What a grader says there that runs as this user."""
    outer = ["unshare", "--mount", "/bin/sh", "-c", COVER, "cover"]
    inner = [sys.executable, "-c", IN_A_CONTAINER, str(user)]
    everybodys = os.environ | {"TMPDIR": "/tmp"}
    run = subprocess.run([*outer, *inner], capture_output=True, text=True, cwd=course.ROOT, env=everybodys)
    if "mount:" in run.stderr:
        pytest.skip("nothing may be mounted here")
    assert run.returncode == 0, run.stderr
    return run.stdout


pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not Path("/proc/driver").is_dir(),
    reason="only root mounts over /proc",
)


@pytest.mark.sandbox
def test_root_takes_them_away_for_the_sandbox():
    """Inside there is a new /proc with the sandbox's own processes; outside the mount stays."""
    first, last = in_a_container(0).splitlines()
    status, *words = first.split()
    assert status == "FINISHED"
    assert "/proc/1" in words and len(words) < 10
    assert last == "still covered"


@pytest.mark.sandbox
def test_others_are_told_what_to_do():
    """Who may not mount reads one sentence, which does not give up the isolation."""
    if not all(
        folder.stat().st_mode & 0o001 for folder in (*Path(sys.base_prefix).parents, *course.ROOT.parents)
    ):
        pytest.skip(f"nobody but root can read {sys.base_prefix} or {course.ROOT}")
    said = in_a_container(65534)
    assert "LabError" in said and "/proc/driver" in said and "privileged" in said
    assert "isolation none" not in said
