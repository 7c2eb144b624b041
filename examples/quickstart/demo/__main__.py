"""The demo: the quickstart from nothing to its fourth release, watched from outside.

Every claim is observed on HTTP answers, the process table, the monitoring's log or the databases, never read from Setpoint.
Run by `make demo`; with DEMO_EXIT=1 it ends everything it started, and its exit status is 0 only if all of it was seen.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from stage import BIN, BusyError, Stage
from story import tell_story
from telling import UnexpectedError, aside, complain, tell

PLACE = Path(__file__).resolve().parents[3] / ".demo"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", type=Path, default=PLACE, help="where everything is kept (%(default)s)")
    parser.add_argument("--stop", action="store_true", help="end what an earlier demo left running")
    arguments = parser.parse_args()
    # A terminal that closes ends the demo as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    stage = Stage(arguments.place.absolute())
    try:
        with stage.alone():
            if (stage.place / "processes.json").exists():
                tell("Ending the demo that was left running.")
            stage.stop()
            return 0 if arguments.stop else perform(stage)
    except BusyError as busy:
        complain(str(busy))
    except UnexpectedError as unexpected:
        complain(f"\n{unexpected}\nlogs: {logs(stage)}")
    return 1


def perform(stage: Stage) -> int:
    """The story, and its end."""
    try:
        stage.prepare()
        tell_story(stage)
        if os.environ.get("DEMO_EXIT") != "1":
            leave(stage)
            return 0
        stage.stop()
    except KeyboardInterrupt:
        complain("\nStopped; ending what was started.")
        stage.stop()
        return 130
    except UnexpectedError as unexpected:
        complain(f"\nThis is not what the demo promised.\n{unexpected}\nlogs: {logs(stage)}")
        stage.stop()
        return 1
    tell("All of it was seen from outside; nothing is left running.")
    return 0


def logs(stage: Stage) -> str:
    """Where to look."""
    files = ("engine.txt", "alerts.txt", "alerts.log")
    return ", ".join(str(stage.place / name) for name in files if (stage.place / name).exists()) or "none yet"


def leave(stage: Stage) -> None:
    """What to try with what goes on running."""
    tell("All of it was seen from outside. The engine goes on running; try:")
    program = os.path.relpath(BIN / "setpoint")
    aside()
    aside(f"export SETPOINT_HOME={os.path.relpath(stage.home)}")
    for command in ("status", "explain web@staging", "history web@production", "events", "logs web@staging"):
        aside(f"{program} {command}")
    aside(f"{program} rollback web@production 2.0.0 --why 'to see it'")
    aside(f"curl http://127.0.0.1:{stage.ports['production']}")
    aside(f"{program} down --services       # the engine and all that it runs; `make clean` removes the rest")


if __name__ == "__main__":
    sys.exit(main())
