"""Labelled glyphs go in, a model file comes out; the only room that imports TensorFlow."""

import worker  # noqa: F401 - keeps ONNX Runtime from sending telemetry, which must be said before its import
