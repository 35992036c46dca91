"""Memory in a container is what its control groups leave, not what the machine has."""

import pytest

from labsupport import control_groups

GIB = 2**30


def machine(root, files: dict[str, str]):
    """A /proc and a /sys of these files, of 16 GiB, of which 8 are free."""
    for name, text in {
        "proc/meminfo": f"MemTotal: {16 * 2**20} kB\nMemAvailable: {8 * 2**20} kB\n",
        **files,
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_memory_of_a_machine(tmp_path):
    """Without a control group, free is what the kernel says."""
    root = machine(tmp_path, {"proc/self/cgroup": "", "proc/self/mountinfo": ""})
    assert control_groups.memory(root) == (16 * GIB, 8 * GIB)


@pytest.mark.parametrize("limited", ["job", "job/step"])
def test_memory_of_a_batch_job(tmp_path, limited):
    """A job of 4 GiB on a large machine has 4 GiB, whichever group around it says so; caches don't count."""
    group = f"sys/fs/cgroup/{limited}"
    root = machine(
        tmp_path,
        {
            "proc/self/cgroup": "0::/job/step\n",
            "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
            "sys/fs/cgroup/job/memory.max": "max\n",
            "sys/fs/cgroup/job/memory.current": "1\n",
            f"{group}/memory.max": f"{4 * GIB}\n",
            f"{group}/memory.current": f"{3 * GIB}\n",
            f"{group}/memory.stat": f"anon {GIB}\ninactive_file {2 * GIB}\n",
        },
    )
    assert control_groups.memory(root) == (4 * GIB, 3 * GIB)


def test_memory_of_a_container(tmp_path):
    """In a container of control groups' first version its own limit counts, seen at the mount's root."""
    group = "sys/fs/cgroup/memory"
    root = machine(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/1f\n1:cpu:/docker/1f\n",
            "proc/self/mountinfo": f"35 31 0:32 /docker/1f /{group} rw - cgroup cgroup rw,memory\n",
            f"{group}/memory.limit_in_bytes": f"{2 * GIB}\n",
            f"{group}/memory.usage_in_bytes": f"{3 * GIB}\n",
            f"{group}/memory.stat": "total_inactive_file 0\n",
        },
    )
    assert control_groups.memory(root) == (2 * GIB, 0)
    assert control_groups.available(root) == 0
