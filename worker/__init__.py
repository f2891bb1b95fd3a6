"""Reading: glyphs to scores, scores to letters, and the Celery tasks around it."""

import os

# ONNX Runtime 1.32 sends what it calls telemetry over the network, and leaves a file in the temporary folder
# when it is imported. Whoever reads other people's forms wants neither.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
