"""The compiling processes that all tests of one run share: importing the configuration language for each would take minutes."""

from __future__ import annotations

import atexit

from setpoint.compilation.compilers import Compilers

COMPILERS = Compilers()
atexit.register(COMPILERS.close)
