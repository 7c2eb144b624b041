"""Records are decoded in threads as well as in the loop: the first use of a type in several of them must not end the process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

SCRIPT = """
from __future__ import annotations
import sys, threading, msgspec

sys.setswitchinterval(1e-6)
for number in range(200):
    inner = msgspec.defstruct("Inner", [(f"f{one}", "dict[str, list[int | None]]", {}) for one in range(20)], module=__name__)
    outer = msgspec.defstruct("Outer", [("last", list[inner], []), ("a", int, 0)])
    go = threading.Event()

    def decode(outer=outer, go=go):
        go.wait()
        for _ in range(20):
            msgspec.json.decode(b'{"a": 1}', type=outer)

    threads = [threading.Thread(target=decode) for _ in range(3)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join()
"""


def test_threads_that_decode_a_type_for_the_first_time_together_survive() -> None:
    """The library described a type while another thread used the half of it: an engine that started ended by SIGSEGV."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
