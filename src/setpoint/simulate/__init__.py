"""The same core in virtual time: a host without a disk, runtimes and checks that misbehave on purpose, people at bad moments.

``world``       the host: inboxes, timers, subscriptions, crashes
``runtimes``    what runs: slow, failing, unreachable
``checks``      protections that pass, block, flap, break
``plan``        a whole world before it begins, as data
``drawing``     which plan a seed stands for: what is configured, what will happen; a file per concern
``acts``        what happens from outside, as data: people, accidents, changes of the configuration; a file per family
``stage``       what acts find
``scenario``    a plan coming true, and its fair end
``invariants``  the net: asks every rule after every turn
``rules``       what must always hold; a file per family
``step``        one turn as the rules see it, and the checker's own ledger
``luck``        chance that replays
``faults``      how likely each fault is, which struck, which of them count
``effects``     applies, checks, tasks and looks against the models, and what goes wrong with them
``explore``     small worlds explored exhaustively (``small``: which; ``twins``: copies of worlds)
``shrinking``   the shortest story of what broke
``cases``       such stories as files
``configured``  worlds around a configuration of somebody's own
``search``      many seeds on all cores, and what they add up to
``story``       the end of a world that broke, told
"""
