"""What an instance requests of other actors for its attempts, and reports to them.

``check_runs``  runs of checks that count for a gate   ``tasks``  runs of tasks
``admission``   leases, waves, budgets                 ``sets``   votes to the sets it is in
``waves``       votes on releases that go through waves
"""
