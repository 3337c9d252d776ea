"""What all tests share."""

from __future__ import annotations

import os

from ops import node

# Nothing of the person's own AWS and Pulumi configuration may reach a test.
for name in list(os.environ):
    if name.startswith(("AWS_", "PULUMI_", "WARM_STANDBY_")):
        del os.environ[name]

# The Node.js that the commands take, for tests that start one by name; the lab does, too.
node.ensure()
