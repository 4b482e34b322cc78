"""Answer a file of dialogues on Ray; a run that was killed and is begun again goes on.

    pip install 'empgan-rt[cpu]' 'ray[data]==2.60.*'
    python examples/on_ray/answer_file.py dialogues.jsonl answered

Each line has an "id", a text that no other line has, and "turns", a list of texts; a Parquet file
has such columns. All machines must see both paths. The replies are in `answered/*/*.jsonl`.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray

from empgan_rt import EmpganError, Responder, WordGuard, set_num_threads

ROWS = 500  # in a file of replies; the work of so many is lost with a process that is killed


class Answers:
    """One process with the model, and one thread; it writes replies to a folder."""

    def __init__(self, bundle: str, folder: Path, done: Any) -> None:
        set_num_threads(1)
        self._responder = Responder.load(bundle, guard=WordGuard())
        self._folder, self._done = folder, ray.get(done)

    def __call__(self, table: Any) -> dict[str, list[int]]:
        """Write a file of those that are not done, whole or not at all; return how many."""
        rows = [row for row in table.to_pylist() if row["id"] not in self._done]
        outcomes = self._responder.outcomes([row["turns"] for row in rows])
        lines, ids = "", hashlib.sha256()
        for row, it in zip(rows, outcomes, strict=True):
            said = {"error": it.code} if isinstance(it, EmpganError) else {"reply": it.text}
            lines += json.dumps({"id": row["id"], **said}) + "\n"
            ids.update(row["id"].encode() + b"\0")
        part = self._folder / uuid4().hex
        part.write_text(lines, "utf-8")
        part.replace(self._folder / f"{ids.hexdigest()}.jsonl")  # done twice, it replaces itself
        return {"rows": [len(rows)]}


def main(dialogues: str, out: str, bundle: str = "default") -> None:
    """Answer what no earlier run has answered."""
    for old in Path(out).glob("open-*"):  # what still writes there for an earlier run fails then
        old.rename(old.with_name(old.name.replace("open", "kept")))
    kept = [path.read_text("utf-8") for path in Path(out).glob("kept-*/*.jsonl")]
    done = frozenset(json.loads(line)["id"] for text in kept for line in text.splitlines())
    folder = Path(out).absolute() / f"open-{uuid4().hex}"
    folder.mkdir(parents=True)
    ray.init()
    read = ray.data.read_parquet if dialogues.endswith(".parquet") else ray.data.read_json
    rows = read(dialogues).repartition(target_num_rows_per_block=ROWS)
    # One core is left to reading; without it the job would wait for ever.
    most = max(1, int(ray.cluster_resources()["CPU"]) - 1)
    made = rows.map_batches(
        Answers,
        fn_constructor_args=[bundle, folder, ray.put(done)],
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=1,
    )
    print(sum(row["rows"] for row in made.iter_rows()), "answered,", len(done), "before")


if __name__ == "__main__":
    main(*sys.argv[1:])
