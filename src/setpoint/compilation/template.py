"""The process that compiling processes are forked from: it has imported the configuration language, and runs nothing itself.

Start it with a Unix socket (``SOCK_SEQPACKET``) as standard input and the limits as arguments. A message has one byte and three
descriptors: of the job, of the report, and of a pipe to which the exit status is written (negative: the number of a signal).
When the other end of the socket is closed, it ends with all that it started.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
import sys
import traceback

import msgspec

from setpoint.compilation.jobs import JobLimits, read_job, report_on, write
from setpoint.programs.kernel import PR_SET_PDEATHSIG, prctl

OUT_OF_MEMORY = 3
"""Exit status of a job that got no memory, or had more to report than it may."""
BROKEN = 4
"""Exit status of a job that ended with an exception; standard error has it."""


class _Template:
    """Forks one process per job, and reports how each ended."""

    def __init__(self, control: socket.socket, limits: JobLimits) -> None:
        self._control = control
        self._limits = limits
        self._jobs: dict[int, tuple[int, int]] = {}
        """Descriptor of a process -> its number, and the pipe for its exit status."""
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Until the other end is closed."""
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor != self._control.fileno():
                    self._reap(descriptor)
                elif not self._take():
                    self._end()
                    return

    def _take(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._control, 1, 3)
        if not message:
            return False
        job, report, status = descriptors
        pid = os.fork()
        if pid == 0:
            self._leave(status)
            os._exit(_work(job, report, self._limits))
        os.close(job)
        os.close(report)
        process = os.pidfd_open(pid)
        self._jobs[process] = pid, status
        self._poll.register(process, select.POLLIN)
        return True

    def _leave(self, status: int) -> None:
        """In a forked process: end with the template, and hold open nothing that is waited for."""
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        self._control.close()
        os.close(status)
        for process, (_, other) in self._jobs.items():
            os.close(process)
            os.close(other)

    def _reap(self, process: int) -> None:
        pid, status = self._jobs.pop(process)
        self._poll.unregister(process)
        os.close(process)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        try:
            os.write(status, str(code).encode())
        except BrokenPipeError:
            pass  # the engine no longer waits for it
        finally:
            os.close(status)

    def _end(self) -> None:
        for pid, _ in self._jobs.values():
            os.kill(pid, signal.SIGKILL)


def _work(job: int, report: int, limits: JobLimits) -> int:
    """Return the exit status."""
    _limit(limits)
    try:
        write(report, report_on(read_job(job)))
    except (MemoryError, OSError):
        return OUT_OF_MEMORY
    except BaseException:  # noqa: BLE001 - nothing may return into the loop of the template
        traceback.print_exc()
        return BROKEN
    return 0


def _limit(limits: JobLimits) -> None:
    """From here on the kernel ends this process by a signal when it takes more."""
    for number in (signal.SIGALRM, signal.SIGXCPU, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.deadline)
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu, limits.cpu + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.report, limits.report))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Serve the socket on standard input."""
    limits = msgspec.json.decode(sys.argv[1], type=JobLimits)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()  # forked processes share what was imported
    with socket.socket(fileno=os.dup(0)) as control:
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        _Template(control, limits).serve()


if __name__ == "__main__":
    main()
