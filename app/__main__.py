"""The application layer: the same service in both regions, and the migration before it."""

from pathlib import Path

import pulumi

from bundle import bundle_function
from bundle_hash import bundle_hash
from current_secret import current_version
from function_environment import Database
from migration import Migration, MigrationArgs
from regional_service import RegionalService, RegionalServiceArgs
from tapstack.contracts import AppOutputs, DataOutputs, NetworkOutputs, export, read
from tapstack.pair import Pair
from tapstack.regions import account_id, both_regions
from tapstack.settings import Settings

HERE = Path(__file__).parent

settings = Settings.of_program()
regions = both_regions(settings)
network = read(NetworkOutputs, consumer="app")
data = read(DataOutputs, consumer="app")
account = account_id(settings, regions)

bundle = bundle_function(HERE.parent / "lambda_src" / "api", HERE / "build" / "api")
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
        settings=settings.app,
        account_id=account,
        network=network.primary,
        data=data.primary,
        database=database,
        master_secret_arn=data.master_secret_arn,
        secret_version=current_version(regions, data.both),
        code=code,
        code_hash=bundle_hash(bundle),
    ),
    regions.primary.options(),
)
services = Pair.of(
    RegionalService(
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
            after=migration.done,
        ),
        region.options(),
    )
    for region, peer, regional_network, (regional_data, peer_data) in regions.zip(
        regions.swapped(), network.both, data.both.zip(data.both.swapped())
    )
)
export(AppOutputs(primary=services.primary.outputs, secondary=services.secondary.outputs))
