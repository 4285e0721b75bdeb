"""The example of a plug-in host: untrusted programs get only their API, end as they should, and the host continues."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin_host" / "host.py"
EXPECTED = {
    "advisor": ("normal", "tea for"),
    "careless": ("failed", "KeyError: 'chai'"),
    "confused": ("normal", "['TypeError', 'TypeError', 'ValueError']"),
    "crasher": ("trap", "ended itself"),
    "forger": ("normal", "['e']"),
    "greedy": ("limit", "MemoryLimitExceeded"),
    "impostor": ("failed", "out of here"),
    "insatiable": ("failed", "LimitExceeded: this process has called Shop.order 3 times"),
    "noisy": ("limit", "OutputLimitExceeded"),
    "snoop": ("normal", "{}"),
    "spinner": ("limit", "TimeLimitExceeded"),
}


def test_plugin_host_survives_every_plugin(template):
    """Each plug-in ends for its own reason, the good one has done its work, and no more was ordered than was granted."""
    done = subprocess.run(
        [sys.executable, EXAMPLE], capture_output=True, text=True, timeout=120, check=False, cwd=EXAMPLE.parent
    )
    assert done.returncode == 0, done.stderr
    *lines, orders = done.stdout.splitlines()
    outcomes = {line.split()[0]: (line.split()[1], line) for line in lines}
    assert outcomes.keys() == EXPECTED.keys()
    for plugin, (reason, text) in EXPECTED.items():
        assert outcomes[plugin][0] == reason, outcomes[plugin][1]
        assert text in outcomes[plugin][1]
    assert orders.count("('coffee', 1)") == 3
    assert orders.count("('tea', 2)") == 1
    assert (EXAMPLE.parent / "notes" / "today.txt").read_text() == "Offer tea.\n"
