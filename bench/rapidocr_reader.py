"""Reads images with RapidOCR and writes {file name: text} as JSON, in one process that loads the models once.

`.venv/peers/bin/python bench/rapidocr_reader.py OPTIONS OUT IMAGE…`, where OPTIONS is a JSON object of
RapidOCR's parameters. `peer_tools.py` starts it by its path: RapidOCR's environment has no Lettermill.
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
