"""Automatic recovery: a controller in each region promotes its database when the other is lost.

``decide`` is pure; ``act`` carries a decision out through the ports of ``ports``. The package needs
nothing but the standard library; boto3 stands behind the ports. docs/decision.md argues the design,
docs/hazards.md lists what it must survive.
"""
