"""Programs of users – checks, tasks, commands of a custom runtime – and the processes that they become.

One runner starts them (``runner``, with ``subreaper`` as their parent), one reader looks at processes (``procfs`` on ``kernel``).
What an exit code means is left to the caller: it differs between a check, a task and a deployment.
"""
