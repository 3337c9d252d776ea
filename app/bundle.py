"""Bundles the Node.js application into a directory that a Lambda function takes as its code.

``npm ci`` runs when package-lock.json changed, esbuild when a source changed, so that a deploy
of unchanged sources starts neither. The same sources give the same bytes: the next deployment
of them changes nothing.
"""

import json
import os
import shutil
from pathlib import Path

from bundle_hash import bundle_hash, files_below, hash_of
from tapstack import node, node_packages
from tapstack.errors import TapStackError
from tapstack.node import NodeError

SOURCES = ("package.json", "package-lock.json", "build.mjs", "src")
"""What the bundle is made from; tests and linters' settings are not among it."""


class BundleError(TapStackError):
    """The application could not be bundled; its message is one line."""


def source_hash(source_dir: Path) -> str:
    """SHA-256 (hexadecimal) of everything the bundle is made from."""
    missing = [name for name in SOURCES if not (source_dir / name).exists()]
    if missing:
        raise BundleError(
            f"app: {source_dir.name} has no {', '.join(missing)}: the application's sources are "
            "incomplete; restore them (git checkout) and deploy again"
        )
    files = [file for name in SOURCES for file in files_below(source_dir / name)]
    return hash_of(source_dir, files)


def _is_current(stamp: Path, source: str, output_dir: Path) -> bool:
    """Whether the output stands as it was last built, and from these very sources."""
    if not stamp.is_file() or not output_dir.is_dir():
        return False
    try:
        built = json.loads(stamp.read_text())
    except ValueError:
        return False
    return built == {"source": source, "output": bundle_hash(output_dir)}


def bundle_function(source_dir: Path, output_dir: Path) -> Path:
    """The directory with the bundled application, built when its sources or it itself changed.

    Safe against several processes at once: one builds, the others wait and take its result; an
    interrupted build leaves the last whole bundle in place. Raises BundleError, one line.
    """
    source_dir, output_dir = source_dir.resolve(), output_dir.resolve()
    source = source_hash(source_dir)
    try:
        with node_packages.held(source_dir):
            _bundle(source_dir, output_dir, source)
    except NodeError as error:
        raise BundleError(f"app: bundling lambda_src/api failed: {error}") from None
    return output_dir


def _bundle(source_dir: Path, output_dir: Path, source: str) -> None:
    stamp = output_dir.with_name(f".{output_dir.name}.json")
    building = output_dir.with_name(f".{output_dir.name}.building")
    if _is_current(stamp, source, output_dir):
        return
    used = node.find(os.environ.get("PATH", ""))
    node_packages.install(source_dir, used, "run `./inv up --layer app` again")
    output_dir.parent.mkdir(parents=True, exist_ok=True)
    node_packages.run(
        [used.executable, "build.mjs", str(building)],
        used,
        source_dir,
        "esbuild",
        "run `npm run build` in lambda_src/api for the whole message",
    )
    shutil.rmtree(output_dir, ignore_errors=True)
    building.rename(output_dir)
    built = {"source": source, "output": bundle_hash(output_dir)}
    stamp.write_text(json.dumps(built))
