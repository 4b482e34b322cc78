"""How fast training goes, by the clock: nothing of it decides anything."""

from __future__ import annotations


class Speed:
    """Samples (responses), and the seconds that the steps on them took, batches included."""

    def __init__(self) -> None:
        self._samples, self._seconds = 0, 0.0
        self._laps: dict[str, tuple[int, float]] = {}

    def add(self, samples: int, seconds: float) -> None:
        """Count one step."""
        self._samples += samples
        self._seconds += seconds

    @property
    def mean(self) -> float | None:
        """Samples per second of all steps; None before the first."""
        return _rate(self._samples, self._seconds)

    def lap(self, name: str) -> float | None:
        """Return samples per second since the last lap of this name; None without a step."""
        samples, seconds = self._laps.get(name, (0, 0.0))
        self._laps[name] = (self._samples, self._seconds)
        return _rate(self._samples - samples, self._seconds - seconds)


def _rate(samples: int, seconds: float) -> float | None:
    return round(samples / seconds, 1) if seconds > 0 else None
