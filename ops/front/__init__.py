"""The tasks of ``./inv`` in rooms; ``tasks.py`` has the layers' and gathers all of them.

Only invoke and the standard library are imported here: what a task calls is imported when it runs,
so that ``./inv --list`` answers at once.
"""
