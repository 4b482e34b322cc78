"""A fresh process up to its first reply; it is run as a file, so that the bench is not loaded.

It reads one line, {"bundle", "precision", "threads", "turns"}, and writes one JSON object.
"""

import sys
import time


def main() -> None:
    """Answer one dialogue; print what took how long, in ms, and which packages were loaded."""
    start = time.perf_counter()
    import empgan_rt

    imported = time.perf_counter()
    import json

    asked = json.loads(sys.stdin.readline())
    began = time.perf_counter()
    empgan_rt.set_num_threads(asked["threads"])
    responder = empgan_rt.Responder.load(asked["bundle"], precision=asked["precision"])
    loaded = time.perf_counter()
    responder.reply(asked["turns"])
    ended = time.perf_counter()
    record = {
        "import_ms": (imported - start) * 1e3,
        "load_ms": (loaded - began) * 1e3,
        "reply_ms": (ended - loaded) * 1e3,
        "packages": sorted({name.partition(".")[0] for name in sys.modules}),
    }
    print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
