"""Rules about the gates before deployment: each needed gate passed when target moved."""
