"""``python -m lab.provider ENGINE_ADDRESS``."""

from lab.provider.plugin import main

main()
