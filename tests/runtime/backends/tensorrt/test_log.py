"""TensorRT's log: one logger a module, levels, and the last errors."""

from __future__ import annotations

import logging

import pytest

from empgan_rt.backends.tensorrt.log import logger
from support.pretended.tensorrt import TensorRt


def test_one_logger_for_a_module() -> None:
    trt = TensorRt()
    assert logger(trt) is logger(trt)
    assert logger(trt) is not logger(TensorRt())


def test_levels(caplog: pytest.LogCaptureFixture) -> None:
    trt = TensorRt()
    severities = trt.ILogger
    with caplog.at_level(logging.DEBUG, "empgan_rt.backends.tensorrt"):
        for name in ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"):
            logger(trt).log(getattr(severities, name), f"100 % {name}")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "100 % INTERNAL_ERROR"),
        ("WARNING", "100 % ERROR"),
        ("INFO", "100 % WARNING"),
        ("DEBUG", "100 % INFO"),
    ]
    assert list(logger(trt).errors) == ["100 % INTERNAL_ERROR", "100 % ERROR"]


def test_the_last_errors_are_kept() -> None:
    trt = TensorRt()
    for number in range(20):
        logger(trt).log(trt.ILogger.ERROR, str(number))
    assert list(logger(trt).errors) == [str(number) for number in range(12, 20)]
