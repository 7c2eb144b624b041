"""What may hold an attempt, and what each gate came to. Everything here is a pure function of the state.

``verdict``    the table of all gates, and how they are evaluated   ``context``   what they are evaluated against
``ordering``   earlier channels                ``dependency``  other services     ``approval``  people
``calendar``   times, freezes, cadence         ``check``       protections        ``task``      side effects that must succeed
``limit``      leases, waves, budgets          ``set``         the set it is in   ``blockers``  orders, and what is in progress
"""
