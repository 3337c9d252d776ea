"""A simulated world for the recovery controllers: truth and observation held apart.

``truth`` knows who really writes and which rows exist where; ``sight`` is what a controller gets to
see of it; ``faults`` bend either; ``ports`` let the real ``decide`` and ``act`` run in it; ``play``
runs a timeline and judges it over the truth.
"""
