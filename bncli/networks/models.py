"""The networks that bncli has by name. To add one, register a function that returns a spec."""

from __future__ import annotations

from collections.abc import Callable

from bncli.registry import Registry

REGISTRY: Registry[Callable[[], str]] = Registry("model")

register = REGISTRY.register


@register("mlp")
def mlp() -> str:
    """Two hidden layers of 64 units."""
    return "dense64*2"


@register("cnn")
def cnn() -> str:
    """The learning-rate study's CNN cut down to 8x8 images: two convolutions, 64 units."""
    return "conv32 pool conv64 flatten dense64"


@register("circles-mlp")
def circles_mlp() -> str:
    """The circles tutorial's network: one hidden layer of 50 units."""
    return "dense50"


@register("lr-cnn")
def lr_cnn() -> str:
    """The learning-rate study's CNN: three convolutions, 64 units (93,322 parameters on 28x28)."""
    return "conv32 pool conv64 pool conv64 flatten dense64"


@register("mnist-cnn")
def mnist_cnn() -> str:
    """DataTechNotes' CNN, which normalizes in two places only (1,199,882 parameters on 28x28)."""
    return "conv32 conv64 norm pool dropout0.2 flatten dense128 dropout0.2 norm"


@register("tanh-dropout")
def tanh_dropout() -> str:
    """The Stack Overflow recipe: 64-64 with dropout 0.5 after each and a softmax over the classes."""
    return "dense64 dropout0.5 dense64 dropout0.5 softmax"


@register("paper-mlp")
def paper_mlp() -> str:
    """The BN paper's MNIST network: three hidden layers of 100 units (use activation sigmoid)."""
    return "dense100*3"


@register("lstm")
def lstm() -> str:
    """An LSTM of 32 units with the normalization after it; an image is read row by row."""
    return "lstm32"


@register("vgg-small")
def vgg_small() -> str:
    """A small network in the manner of VGG: pairs of padded 3x3 convolutions, each pair halved (8x8 images and up)."""
    return "conv16:same*2 pool conv32:same*2 pool flatten dense64"


@register("resnet-small")
def resnet_small() -> str:
    """A small residual network: two blocks, the second at half the size (8x8 images and up)."""
    return "conv16:same { conv16:same conv16:same } { conv32:s2:same conv32:same } gap"


@register("resnet20")
def resnet20() -> str:
    """The 20-layer ResNet for CIFAR of He et al. 2015: three stages of three blocks (0.27 million parameters).

    Where a stage begins, the paper pads the shortcut with zeros (its option A); here it is projected (option B).
    """
    first = "conv16:same { conv16:same conv16:same }*3"
    later = (f"{{ conv{n}:s2:same conv{n}:same }} {{ conv{n}:same conv{n}:same }}*2" for n in (32, 64))
    return " ".join([first, *later, "gap"])
