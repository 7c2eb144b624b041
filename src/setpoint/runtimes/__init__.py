"""Runtimes that come with Setpoint: processes on this machine, commands of the user's own, and a fake for tests and demos."""
