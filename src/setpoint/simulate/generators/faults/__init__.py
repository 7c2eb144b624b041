"""Faults: accidents of runtimes, clock changes, and the rate of each kind of fault."""
