"""The same core in virtual time: a host without a disk, runtimes and checks that misbehave on purpose, people at bad moments.

``world``       the host: inboxes, timers, subscriptions, crashes
``runtimes``    what runs: slow, failing, unreachable
``checks``      protections that pass, block, flap, break
``scenario``    worlds drawn from a seed, people acting at random moments
``invariants``  the net: asks every rule after every turn
``rules``       what must always hold
``step``        one turn as the rules see it, and the checker's own ledger
``search``      many seeds on all cores, and what they add up to
``story``       the end of a world that broke, told
"""
