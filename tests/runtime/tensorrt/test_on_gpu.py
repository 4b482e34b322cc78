"""What only a GPU can show: engines that were built on it load on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from empgan_rt.bundle import Bundle
from empgan_rt.errors import EmpganError
from empgan_rt.tensorrt.build_log import logger
from empgan_rt.tensorrt.cache import EngineCache
from empgan_rt.tensorrt.engines import EngineRoom, build_all, requests
from empgan_rt.tensorrt.machine import Machine

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def machine() -> Machine:
    try:
        return Machine.here()
    except EmpganError as error:
        pytest.skip(str(error))


def test_engines_load(machine: Machine, tmp_path: Path) -> None:
    bundle = Bundle.open("tiny")
    room = EngineRoom(bundle, machine, EngineCache(tmp_path))
    build_all(room, requests(bundle))
    runtime = machine.trt.Runtime(logger(machine.trt))
    assert not runtime.engine_host_code_allowed
    for found in build_all(room, requests(bundle)):
        assert found.cached
        engine = runtime.deserialize_cuda_engine(found.plan)
        assert engine is not None
        names = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
        assert names == {tensor.name for tensor in (*found.spec.inputs, *found.spec.outputs)}
        assert engine.num_optimization_profiles == len(found.profiles)
