"""The instance actor: one service in one channel, the unit that converges, rolls back, is pinned and approved.

Read ``lifecycle`` first: it is the algorithm, from top to bottom.

``state``         what it remembers                    ``turn``         its working copy during one turn
``events``        what happened, as memory             ``clocks``       what ends by the clock
``selection``     which release it wants               ``candidates``   which attempt gathers its gates
``gates``         what holds an attempt                ``requests``     what it requests of other actors
``observation``   what is observed judges a rollout    ``outcomes``     how attempts end
``reconcile``     the runtime is brought to target     ``transitions``  the stages of an attempt, as a table
``adoption``      first contact                        ``removal``      taken out of the configuration
``status``        what it publishes                    ``explain``      every reason, for people
"""
