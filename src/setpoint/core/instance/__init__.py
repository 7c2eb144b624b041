"""The instance actor: one service in one channel, the unit that converges, rolls back, is pinned and approved.

``state``       what it remembers                      ``absorb``     facts become memory
``selection``   which release it wants                 ``gates``      what holds an attempt back
``candidate``   an attempt on its way to its rollout   ``rollout``    target moved: judged, finalized or rolled back
``steering``    applies, healing, watching             ``turn``       the table of contents of one turn
``explain``     every reason, for people
"""
