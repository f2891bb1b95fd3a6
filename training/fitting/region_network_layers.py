"""Builds the region network: a small grey page in, for each block of 4×4 pixels what its ink belongs to.

A U-shaped network of convolutions (Ronneberger, Fischer and Brox 2015), most of them separable (Chollet
2017). Why it is there: docs/decisions/0019-region-network.md.
"""

from __future__ import annotations

from typing import Any

from lettermill.segmentation.regions import Region

INPUT_NAME, OUTPUT_NAME = "pages", "logits"

SIDE_STEP_PIXELS = 32
"""Height and width of the input are multiples of this."""

_MOMENTUM = 0.98
_FIRST_CHANNELS = 16
_STAGES = ((32, 1, (1,)), (64, 2, (1, 1)), (112, 2, (1, 2, 1, 2)), (144, 2, (1, 2)))
"""Channels, stride, and the dilations of the residual convolutions of each stage."""


def build() -> Any:
    """Build the untrained region network.

    Returns:
        A Keras model: uint8 n×h×w×1 named "pages" in, float32 n×h/4×w/4×4 logits out; h and w are multiples
        of 32.
    """
    import keras

    layers = keras.layers
    numbers = iter(range(1, 200))

    def normalised(x: Any) -> Any:
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"normalisation_{next(numbers)}")(x)
        return layers.ReLU()(x)

    def convolution(x: Any, channels: int, kernel: int, strides: int = 1) -> Any:
        layer = layers.Conv2D(
            channels,
            kernel,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"convolution_{next(numbers)}",
        )
        return normalised(layer(x))

    def separable(x: Any, channels: int, strides: int = 1, dilation: int = 1) -> Any:
        x = layers.DepthwiseConv2D(
            3,
            strides=strides,
            padding="same",
            use_bias=False,
            dilation_rate=dilation,
            name=f"depthwise_{next(numbers)}",
        )(x)
        return convolution(normalised(x), channels, 1)

    pages = keras.Input((None, None, 1), dtype="uint8", name=INPUT_NAME)
    x = layers.Rescaling(-1 / 255, offset=1.0)(pages)
    x = convolution(x, _FIRST_CHANNELS, 5, strides=2)
    x = convolution(x, _STAGES[0][0], 3, strides=2)
    skips = []
    for channels, stride, dilations in _STAGES:
        if stride > 1:
            skips.append(x)
            x = separable(x, channels, strides=stride)
        for dilation in dilations:
            x = layers.Add()([x, separable(x, channels, dilation=dilation)])
    for skip in reversed(skips):
        channels = skip.shape[-1]
        x = layers.UpSampling2D(2)(convolution(x, channels, 1))
        x = layers.Add()([x, skip])
        x = layers.Add()([x, separable(x, channels)])
    x = layers.Conv2D(len(Region), 1, name="answer")(x)
    return keras.Model(
        pages, layers.Activation("linear", dtype="float32", name=OUTPUT_NAME)(x), name="regions"
    )
