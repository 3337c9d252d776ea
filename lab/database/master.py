"""The master user and the first database of a new cluster, as RDS makes them."""

from __future__ import annotations

import contextlib

import psycopg
from psycopg import sql

from lab.database import replication
from lab.database.postgres import PostgresServer
from lab.database.topology import Cluster

RDS_ROLES = ("rds_superuser", "rds_replication", "rds_iam", "rds_password")


def create_master(server: PostgresServer, cluster: Cluster) -> None:
    """Makes the master user, or gives it the password whose verifier the topology holds: no
    superuser, but one that may make users and databases."""
    if not cluster.master_username:
        return
    master = sql.Identifier(cluster.master_username)
    with server.connect() as connection:
        for role in RDS_ROLES:
            with contextlib.suppress(psycopg.errors.DuplicateObject):
                connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEROLE CREATEDB").format(master))
            connection.execute(
                sql.SQL(
                    "GRANT rds_superuser, pg_monitor, pg_signal_backend TO {} WITH ADMIN OPTION"
                ).format(master)
            )
        if cluster.master_verifier:
            connection.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    master, sql.Literal(cluster.master_verifier)
                )
            )


def create_database(server: PostgresServer, cluster: Cluster) -> None:
    """Makes the first database, owned by the master user."""
    owner = sql.Identifier(cluster.master_username or replication.ADMIN)
    with server.connect() as connection:
        if cluster.database_name and cluster.database_name != "postgres":
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(cluster.database_name), owner
                    )
                )
        connection.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(owner))
