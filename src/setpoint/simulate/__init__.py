"""The same core in virtual time: a host without a disk, runtimes and checks that misbehave on purpose, people at the worst moment.

``world``       the host: inboxes, timers, subscriptions, crashes       ``runtimes``   what runs, slow, failing, unreachable
``checks``      protections that pass, block, flap, break               ``scenario``   worlds drawn from a seed
``people``      releases, approvals, pins … at random moments           ``invariants`` what must always hold, checked after each turn
"""
