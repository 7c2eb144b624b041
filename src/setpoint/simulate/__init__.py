"""The same core in virtual time: a host without a disk, runtimes and checks that fail on purpose, people acting at bad moments.

``plan``        a whole world before it starts, as data
``generators``  which plan a seed stands for: policies, what people do, what goes wrong
``world``       the simulated host and the models behind it: runtimes, checks, tasks, faults, random numbers
``acts``        what happens from outside, as data: people, accidents, changes of the configuration
``scenario``    one run of a plan, with a fair end
``rules``       what must always hold; grouped by what they judge
``invariants``  applies every rule after every turn
``checker``     what rules read: one turn, and a ledger independent of the state they judge
``search``      many seeds on all cores; failures reduced, saved as cases and shown as timelines
``explore``     small worlds explored exhaustively
``discovery``   imports what registers itself
"""
