"""Rules about check results: which runs prove a pass, how fresh it is, and when failing or unavailable results end an attempt."""
