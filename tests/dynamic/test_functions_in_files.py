"""(12.11) Functions of time in whole files: scenes at any tick, and what gsinfo says of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import gscodec
from gscodec.cli import gsinfo
from gscodec.container import Chunk, ContainerReader, Parameters, SceneHeader
from gscodec.dynamic.native import bases_scene
from gscodec.dynamic.timeline import Time
from gscodec.dynamic.writer import FileWriter, SegmentPayloads
from gscodec.errors import UsageError
from tests.motion.function_samples import ID, INTERVAL, read, recorded, recorded_waves, wishes
from tests.motion.made import DURATION, chunks_of, made_splats


def written() -> tuple[bytes, bytes, bytes]:
    """A file of one segment; the static file that its chunk is from, and the payload of MOTN."""
    still = gscodec.encode(made_splats(150, degree=1), quality=0.5, effort=1)
    bases = recorded_waves()
    (chunk,) = chunks_of(still)
    motion = recorded(chunk, wishes(chunk, bases.decoded, noise=0.02)).payload()
    reader = ContainerReader()
    reader.feed(still)
    reader.close()
    events = list(reader.events())
    (scene,) = (event for event in events if isinstance(event, SceneHeader))
    out = io.BytesIO()
    with FileWriter(
        out, replace(scene, bounds=(0.0,) * 6), Time(rate=48_000, frame_ticks=INTERVAL)
    ) as writer:
        writer.segment(
            SegmentPayloads(
                start=0,
                duration=DURATION,
                parameters=[bytes(event.payload) for event in events if isinstance(event, Parameters)],
                bases=[bases.payload()],
                chunks=[(bytes(event.payload), motion) for event in events if isinstance(event, Chunk)],
            )
        )
    return out.getvalue(), still, motion


def test_a_scene_at_any_tick() -> None:
    data, still, payload = written()
    (chunk,) = chunks_of(still)
    motion = read(chunk, payload, {ID: recorded_waves().decoded})
    with gscodec.open(data) as scene:
        for tick in (0, 1, INTERVAL // 2, 4 * INTERVAL, DURATION - 1):
            found, wanted = scene.at_tick(tick), motion.at(tick).applied(chunk.splats)
            for name in ("positions", "rotations", "scales", "opacities", "sh_dc", "sh_rest"):
                np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
        with pytest.raises(UsageError):
            bases_scene(scene)


def test_bytes_by_attribute(tmp_path: Path) -> None:
    data, _, payload = written()
    path = tmp_path / "scene.gsc"
    path.write_bytes(data)
    done = CliRunner().invoke(gsinfo.command, [str(path), "--json"])
    assert done.exception is None
    parts = {each["part"]: each["bytes"] for each in json.loads(done.stdout)["parts"]}
    assert sum(parts.values()) == len(data)
    motion = {name: size for name, size in parts.items() if name.startswith("motion: ")}
    assert sum(motion.values()) == len(payload)
    assert {"motion: position", "motion: position residuals", "motion: position fineness"} < motion.keys()
    assert parts["motion bases"] == len(recorded_waves().payload())
