"""The simulated world: a host in virtual time, models of runtimes, checks and tasks, faults, and the environment of acts."""
