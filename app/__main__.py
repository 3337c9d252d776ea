"""The application layer: the same service in both regions, and the migration before it."""

from collections.abc import Sequence
from pathlib import Path

import pulumi

from bundle import bundle_function
from bundle_hash import bundle_hash
from current_secret import current_version
from function_environment import Database
from migration import Migration, MigrationArgs
from regional_service import RegionalService, RegionalServiceArgs
from release import release
from standby_gate import StandbyGate, StandbyGateArgs
from tapstack.contracts import (
    AppOutputs,
    DataOutputs,
    NetworkOutputs,
    RegionalData,
    RegionalNetwork,
    export,
    read,
)
from tapstack.regions import Region, account_id, both_regions
from tapstack.settings import Settings

HERE = Path(__file__).parent

settings = Settings.of_program()
regions = both_regions(settings)
network = read(NetworkOutputs, consumer="app")
data = read(DataOutputs, consumer="app")
account = account_id(settings, regions)

bundle = bundle_function(HERE.parent / "lambda_src" / "api", HERE / "build" / "api")
code_hash = bundle_hash(bundle)
deployed = release(code_hash, settings.app, regions)
code = pulumi.FileArchive(str(bundle))
database = Database(
    writer_endpoint=data.global_writer_endpoint,
    port=data.database_port,
    name=data.database_name,
    server_names=[regional.cluster_endpoint for regional in data.both],
)

migration = Migration(
    f"migrate-{regions.primary.name}",
    MigrationArgs(
        region=regions.primary,
        peer=regions.secondary,
        settings=settings.app,
        account_id=account,
        network=network.primary,
        data=data.primary,
        database=database,
        master_secret_arn=data.master_secret_arn,
        secret_version=current_version(regions, data.both),
        code=code,
        code_hash=code_hash,
    ),
    regions.primary.options(),
)


def service(
    region: Region,
    peer: Region,
    regional_network: RegionalNetwork,
    both_data: tuple[RegionalData, RegionalData],
    gate: Sequence[pulumi.Resource] = (),
) -> RegionalService:
    """One region's service; ``both_data``: its own, then its peer's."""
    regional_data, peer_data = both_data
    return RegionalService(
        f"service-{region.name}",
        RegionalServiceArgs(
            region=region,
            peer=peer,
            settings=settings.app,
            account_id=account,
            network=regional_network,
            data=regional_data,
            peer_data=peer_data,
            database=database,
            code=code,
            release=deployed,
            after=[migration.done, *gate],
        ),
        region.options(),
    )


places = regions.zip(regions.swapped(), network.both, data.both.zip(data.both.swapped()))
# New code goes to the standby first (trap 65).
standby = service(*places.secondary)
gate = StandbyGate(
    f"gate-{regions.secondary.name}",
    StandbyGateArgs(
        region=regions.secondary,
        settings=settings.app,
        account_id=account,
        key_arn=data.secondary.key_arn,
        service=standby,
        code=code,
        server_name=settings.server_name,
    ),
    regions.secondary.options(),
)
primary = service(*places.primary, gate=gate.passed)
export(AppOutputs(primary=primary.outputs, secondary=standby.outputs))
