"""The emulator and what stands around it: the AWS APIs of both regions."""

from __future__ import annotations

from lab.context import LabContext
from lab.emulator import backend, mends
from lab.emulator.asynchronous import Asynchronous
from lab.emulator.backend import Lifespan
from lab.emulator.caller import Caller
from lab.emulator.exchange import chain
from lab.emulator.faulty import Faulty
from lab.emulator.functions import Functions
from lab.emulator.hooks import Hooks
from lab.emulator.identity import Identity
from lab.emulator.injection import Injection
from lab.emulator.load_balancers import LoadBalancers
from lab.emulator.mails import Mails
from lab.emulator.mappings import Mappings
from lab.emulator.memory import Memory
from lab.emulator.mending import Mending
from lab.emulator.permissions import Permissions
from lab.emulator.regions import Regions
from lab.emulator.saving import Saver
from lab.emulator.target_health import TargetHealth
from lab.outage import OutageKind


class Emulator:
    """Its rooms, and their start and stop; ``lab.application`` puts them in a request's way."""

    def __init__(self, lab: LabContext) -> None:
        self.lab = lab
        directory = lab.state_dir / "emulator"
        self.memory = Memory(directory / "lab-memory.json")
        self.saver = Saver(directory)
        self.saver.extra["lab-memory"] = self.memory.as_dict
        self._mails = Mails(lab.clock, self.memory.store("sns.mails"))
        self.functions = Functions(lab)
        self.asynchronous = Asynchronous(lab, self.functions)
        self.mappings = Mappings(lab, self.functions)
        self.load_balancers = LoadBalancers(lab, self.functions)
        self.target_health = TargetHealth(lab, self.load_balancers)
        self.identity = Identity(lab)
        self.regions = Regions(lab)
        self.permissions = Permissions(lab)
        self.injection = Injection()
        self.faulty = Faulty(lab)
        self.hooks = Hooks(lab)
        self._lifespan = Lifespan()
        # A part's own call is not for the lab or a load balancer, and no outage stops it.
        own_way = chain((self.saver.answer, self.hooks.answer, backend.answer))
        lab.aws = Caller(own_way, lab.account_id)

    async def start(self) -> None:
        """Loads what was saved; ready to serve afterwards."""
        await self._lifespan.startup()
        self.install_mends()
        await self.functions.start()
        self.mappings.start()
        self.target_health.start()

    def install_mends(self) -> None:
        """Puts every mend in place."""
        mends.install(
            Mending(
                lab=self.lab,
                mend=self.hooks.mend,
                store=self.memory.store,
                mails=self._mails,
                target_state=self.target_health.state,
                concurrency=self.functions.concurrency,
                invoke=self.functions.invoke,
                invoke_later=self.asynchronous.submit,
            )
        )

    async def stop(self) -> None:
        """Stops what runs, and saves everything."""
        self.target_health.stop()
        self.asynchronous.stop()
        self.mappings.stop()
        await self.functions.stop()
        await self._lifespan.shutdown()
        self.saver.everything()

    def mails(self, confirm: bool) -> list[dict[str, str]]:
        """The mails that SNS has sent; first what waits for it is confirmed, if asked for."""
        if confirm and self._mails.confirm():
            self.saver.everything()
        return self._mails.shown()

    def outage(self, region: str) -> None:
        """A region has lost something: its functions stop with its compute."""
        if self.lab.outages.has_lost(region, OutageKind.COMPUTE):
            self.functions.stop_region(region)
