"""Reads images with RapidOCR and writes {file name: text} as JSON: one process, the models loaded once.

It runs in the environment that `make bench` sets up for RapidOCR, so it imports nothing of this project:
`.venv/peers/bin/python rapidocr_reader.py OPTIONS OUT IMAGE…`, OPTIONS being a JSON object of RapidOCR's
parameters.
"""

import json
import sys
from pathlib import Path

from rapidocr import RapidOCR

ONE_THREAD = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "error",
}


def main() -> None:
    options, out, *images = sys.argv[1:]
    engine = RapidOCR(params={**ONE_THREAD, **json.loads(options)})
    texts = {Path(image).name: "\n".join(engine(image).txts or ()) for image in images}
    Path(out).write_text(json.dumps(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
