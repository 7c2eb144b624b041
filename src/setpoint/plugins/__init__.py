"""The ports that adapters implement. Ours and anybody's are found by the same entry points:

``setpoint.runtimes`` · ``setpoint.protections``
"""
