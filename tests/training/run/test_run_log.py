from __future__ import annotations

from empgan_training.run.run_log import Speed


def test_samples_per_second_of_everything_and_of_laps() -> None:
    speed = Speed()
    assert speed.mean is None
    assert speed.lap("epoch") is None
    speed.add(30, 1.0)
    speed.add(10, 1.0)
    assert speed.mean == 20.0
    assert speed.lap("record") == 20.0
    speed.add(60, 2.0)
    assert speed.lap("record") == 30.0
    assert speed.lap("epoch") == speed.mean == 25.0
    assert speed.lap("epoch") is None
