"""The console: both regions on one live page, for who would rather look than read.

``facts`` are what was asked, ``view`` decides what they mean, the rest asks, serves and keeps.
Nothing here imports what deploys: an order that takes minutes is an ``./inv`` process of its own.
"""
