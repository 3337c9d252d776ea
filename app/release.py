"""The release that is deployed, and the versions that serve in its place after a rollback."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from tapstack.app_settings import AppSettings
from tapstack.pair import Pair
from tapstack.regions import Region, asked
from tapstack.releases import (
    NOTHING,
    Held,
    described,
    held_in,
    held_parameter,
    held_path,
    release_of,
)
from tapstack.well_known import LIVE


@dataclass(frozen=True)
class Release:
    """What a function's version and its alias need to know of the release."""

    name: str
    held: pulumi.Output[Held]

    def description(self, text: str) -> str:
        """A function's description, which names the release."""
        return described(text, self.name)

    def live(
        self, name: str, region: Region, purpose: str, function: aws.lambda_.Function,
        opts: pulumi.ResourceOptions,
    ) -> aws.lambda_.Alias:  # fmt: skip
        """The alias by which the function is called: of the version just published, or of the one
        that a rollback put in its place."""

        def version(known: list[object]) -> str:
            newest, held = known
            assert isinstance(held, Held)  # noqa: S101 - gathered below
            return held.version(self.name, region.name, purpose) or str(newest)

        return aws.lambda_.Alias(
            name,
            name=LIVE,
            description="What is called; ./inv app.rollback leads it back",
            function_name=function.name,
            function_version=pulumi.Output.all(function.version, self.held).apply(version),
            opts=opts,
        )


def release(code_hash: str, settings: AppSettings, regions: Pair[Region]) -> Release:
    """The release of this code, and what is held back as one of the regions says."""
    region = asked(regions)
    found = aws.ssm.get_parameters_by_path_output(
        path=held_path(region.name, region.suffix), opts=region.invoking()
    )
    # pulumi-aws takes every parameter's value for a secret; this one names versions.
    values = pulumi.Output.unsecret(found.values)
    return Release(release_of(code_hash, settings), values.apply(held_in))


def keep_held(region: Region, opts: pulumi.ResourceOptions) -> None:
    """Declares the parameter that a rollback writes; no deployment takes back what it says."""
    aws.ssm.Parameter(
        f"release-held-{region.name}",
        name=held_parameter(region.name, region.suffix),
        type="String",
        value=NOTHING,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=["value"])),
    )
