"""Train two digit classifiers and export them to ONNX, in float and in int8 QDQ form."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

IMAGE_SIZE = 8
CLASS_COUNT = 10
INPUT_NAME = "image"
OUTPUT_NAME = "logits"
OPSET = 17

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Training and held-out parts of the digits data.

    Attributes
    ----------
    train_images, heldout_images : ndarray of float32, shape (n, 1, 8, 8)
        Images scaled to the range 0 to 1.
    train_labels, heldout_labels : ndarray of int64, shape (n,)
        Digit shown by each image.
    """

    train_images: FloatArray
    train_labels: IntArray
    heldout_images: FloatArray
    heldout_labels: IntArray


@dataclass(frozen=True)
class Recipe:
    """How one network is trained and quantized.

    Attributes
    ----------
    name : str
        Prefix of the exported files.
    epochs : int
        Passes over the training images.
    learning_rate : float
        Peak learning rate of the one-cycle schedule.
    quantized_operators : tuple of str
        ONNX operators to quantize; every operator that can be when empty.
    """

    name: str
    epochs: int
    learning_rate: float
    quantized_operators: tuple[str, ...] = ()


class ConvUnit(nn.Sequential):
    """3x3 convolution, batch normalization and ReLU.

    Parameters
    ----------
    inputs, outputs : int
        Channel counts.
    stride : int
        Spatial stride.
    groups : int
        Convolution groups; equal to `inputs` for a depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class SeparableResidual(nn.Module):
    """Depthwise-separable convolution added to its input.

    Parameters
    ----------
    channels : int
        Channel count of both input and output.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = ConvUnit(channels, channels, groups=channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.normalization = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Return the activated sum of the input and its separable convolution."""
        update = self.normalization(self.pointwise(self.depthwise(features)))
        return functional.relu(features + update)


class DigitCNN(nn.Sequential):
    """Convolutional classifier with a depthwise-separable residual block."""

    def __init__(self) -> None:
        super().__init__(
            ConvUnit(1, 32),
            ConvUnit(32, 48),
            SeparableResidual(48),
            ConvUnit(48, 64, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, CLASS_COUNT),
        )


class Attention(nn.Module):
    """Multi-head self-attention written with plain matrix products.

    Parameters
    ----------
    width : int
        Features per token.
    heads : int
        Number of heads; divides `width`.
    tokens : int
        Tokens per image.
    """

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.width = width
        self.heads = heads
        self.tokens = tokens
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def split_heads(self, features: Tensor) -> Tensor:
        """Rearrange (batch, tokens, width) to (batch, heads, tokens, width / heads)."""
        # Literal sizes with -1 for the batch keep Shape and Gather nodes out of the ONNX graph.
        head_width = self.width // self.heads
        return features.reshape(-1, self.tokens, self.heads, head_width).transpose(1, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Return the attended features, shape (batch, tokens, width)."""
        query = self.split_heads(self.query(features))
        key = self.split_heads(self.key(features))
        value = self.split_heads(self.value(features))
        scale = 1.0 / math.sqrt(self.width // self.heads)
        weights = functional.softmax(query @ key.transpose(2, 3) * scale, dim=-1)
        attended = (weights @ value).transpose(1, 2)
        return self.output(attended.reshape(-1, self.tokens, self.width))


class TransformerBlock(nn.Module):
    """Pre-normalized attention and feed-forward layers, each with a residual add.

    Parameters
    ----------
    width, heads, tokens : int
        See `Attention`.
    """

    def __init__(self, width: int, heads: int, tokens: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, tokens)
        self.feedforward_norm = nn.LayerNorm(width)
        self.feedforward = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the updated tokens, shape (batch, tokens, width)."""
        features = features + self.attention(self.attention_norm(features))
        return features + self.feedforward(self.feedforward_norm(features))


class DigitViT(nn.Module):
    """Vision transformer over 2x2 patches with mean pooling.

    Parameters
    ----------
    width : int
        Features per token.
    heads : int
        Attention heads per block.
    depth : int
        Number of transformer blocks.
    """

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 2) -> None:
        super().__init__()
        self.width = width
        self.tokens = (IMAGE_SIZE // 2) ** 2
        self.patches = nn.Conv2d(1, width, 2, stride=2)
        self.positions = nn.Parameter(0.02 * torch.randn(1, self.tokens, width))
        self.blocks = nn.Sequential(
            *(TransformerBlock(width, heads, self.tokens) for _ in range(depth))
        )
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, CLASS_COUNT)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits, shape (batch, 10)."""
        patches = self.patches(image).reshape(-1, self.width, self.tokens).transpose(1, 2)
        features = self.norm(self.blocks(patches + self.positions))
        return self.classifier(features.mean(dim=1))


class CalibrationImages(CalibrationDataReader):
    """Feeds images to the quantizer one at a time.

    Parameters
    ----------
    images : ndarray of float32, shape (n, 1, 8, 8)
        Images whose activations set the quantization ranges.
    """

    def __init__(self, images: FloatArray) -> None:
        self.remaining: Iterator[FloatArray] = iter(images)

    def get_next(self) -> dict[str, FloatArray] | None:
        """Return the next input, or None when all images are used."""
        image = next(self.remaining, None)
        return None if image is None else {INPUT_NAME: image[np.newaxis]}


def load_split(seed: int, heldout_count: int) -> Split:
    """Load the digits and divide them, with the same class balance in both parts.

    Parameters
    ----------
    seed : int
        Seed of the shuffle.
    heldout_count : int
        Number of held-out images.

    Returns
    -------
    Split
        The two parts.
    """
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, np.newaxis]
    labels = digits.target.astype(np.int64)
    train_images, heldout_images, train_labels, heldout_labels = train_test_split(
        images, labels, test_size=heldout_count, stratify=labels, random_state=seed
    )
    return Split(train_images, train_labels, heldout_images, heldout_labels)


def shift_randomly(images: Tensor) -> Tensor:
    """Shift each image by up to one pixel along both axes, filling with zeros.

    Parameters
    ----------
    images : Tensor, shape (n, 1, 8, 8)
        Images to shift.

    Returns
    -------
    Tensor, shape (n, 1, 8, 8)
        Shifted copies.
    """
    padded = functional.pad(images, (1, 1, 1, 1))
    offsets = torch.randint(0, 3, (2, len(images), 1))
    rows = (torch.arange(IMAGE_SIZE) + offsets[0])[:, :, None]
    columns = (torch.arange(IMAGE_SIZE) + offsets[1])[:, None, :]
    samples = torch.arange(len(images))[:, None, None]
    return padded[samples, 0, rows, columns][:, None]


def train(model: nn.Module, split: Split, recipe: Recipe, batch_size: int) -> None:
    """Train a network in place.

    Parameters
    ----------
    model : Module
        Network to train; left in evaluation mode.
    split : Split
        Data, of which only the training part is used.
    recipe : Recipe
        Epoch count and learning rate.
    batch_size : int
        Images per step.
    """
    images = torch.from_numpy(split.train_images)
    labels = torch.from_numpy(split.train_labels)
    steps_per_epoch = math.ceil(len(images) / batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, epochs=recipe.epochs, steps_per_epoch=steps_per_epoch
    )
    model.train()
    for _ in range(recipe.epochs):
        for indices in torch.randperm(len(images)).split(batch_size):
            logits = model(shift_randomly(images[indices]))
            loss = functional.cross_entropy(logits, labels[indices], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()


def export_float(model: nn.Module, path: Path) -> None:
    """Write a network as a float ONNX file with a dynamic batch dimension.

    Parameters
    ----------
    model : Module
        Network in evaluation mode.
    path : Path
        File to write.
    """
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE),),
        str(path),
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_axes={INPUT_NAME: {0: "batch"}, OUTPUT_NAME: {0: "batch"}},
        opset_version=OPSET,
        do_constant_folding=True,
        dynamo=False,
    )
    clean(path)


def export_int8(source: Path, path: Path, calibration: FloatArray, recipe: Recipe) -> None:
    """Quantize a float ONNX file to int8 in QDQ form.

    Parameters
    ----------
    source : Path
        Float ONNX file.
    path : Path
        File to write.
    calibration : ndarray of float32, shape (n, 1, 8, 8)
        Images that set the activation ranges.
    recipe : Recipe
        Names the operators to quantize.
    """
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        quant_pre_process(source, prepared)
        quantize_static(
            prepared,
            path,
            CalibrationImages(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(recipe.quantized_operators) or None,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
    clean(path)


def clean(path: Path) -> None:
    """Drop documentation, metadata and unused operator sets from an ONNX file, then check it.

    Parameters
    ----------
    path : Path
        File to rewrite.
    """
    model = onnx.load(path)
    graph = model.graph
    described = (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output)
    for part in described:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    del graph.value_info[:]
    used_domains = {node.domain for node in graph.node}
    kept = [entry for entry in model.opset_import if entry.domain in used_domains]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def measure_accuracy(path: Path, split: Split) -> float:
    """Run an ONNX file over the held-out images with ONNX Runtime.

    Parameters
    ----------
    path : Path
        ONNX file.
    split : Split
        Data, of which only the held-out part is used.

    Returns
    -------
    float
        Fraction of the images classified correctly.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUT_NAME], {INPUT_NAME: split.heldout_images})
    return float(np.mean(np.argmax(logits, axis=1) == split.heldout_labels))


def report(path: Path, split: Split) -> None:
    """Print the accuracy, size and operator counts of an ONNX file.

    Parameters
    ----------
    path : Path
        ONNX file.
    split : Split
        Data, of which only the held-out part is used.
    """
    operators = Counter(node.op_type for node in onnx.load(path).graph.node)
    counts = ", ".join(f"{name} {count}" for name, count in sorted(operators.items()))
    accuracy = 100 * measure_accuracy(path, split)
    print(f"{path.name}: {accuracy:.2f} % held-out, {path.stat().st_size} bytes")
    print(f"  {counts}")


def parse_arguments() -> argparse.Namespace:
    """Return the command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent, help="folder for the exported files"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the split and the training")
    parser.add_argument("--heldout", type=int, default=360, help="number of held-out images")
    parser.add_argument("--calibration", type=int, default=64, help="number of calibration images")
    parser.add_argument("--batch-size", type=int, default=64, help="images per training step")
    parser.add_argument("--cnn-epochs", type=int, default=60, help="training epochs of the CNN")
    parser.add_argument("--vit-epochs", type=int, default=150, help="training epochs of the ViT")
    parser.add_argument("--threads", type=int, default=1, help="threads used by torch")
    return parser.parse_args()


def main() -> None:
    """Train both networks and write the ONNX files and the held-out images."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    split = load_split(arguments.seed, arguments.heldout)
    calibration = split.train_images[: arguments.calibration]
    np.savez_compressed(
        arguments.output / "heldout.npz",
        images=split.heldout_images,
        labels=split.heldout_labels,
        calibration=calibration,
    )
    recipes: dict[type[nn.Module], Recipe] = {
        DigitCNN: Recipe("cnn", arguments.cnn_epochs, 5e-3),
        DigitViT: Recipe("vit", arguments.vit_epochs, 2e-3, ("Conv", "Gemm", "MatMul")),
    }
    for network, recipe in recipes.items():
        torch.manual_seed(arguments.seed)
        model = network()
        train(model, split, recipe, arguments.batch_size)
        float_path = arguments.output / f"{recipe.name}_float.onnx"
        int8_path = arguments.output / f"{recipe.name}_int8_qdq.onnx"
        export_float(model, float_path)
        export_int8(float_path, int8_path, calibration, recipe)
        report(float_path, split)
        report(int8_path, split)


if __name__ == "__main__":
    main()
