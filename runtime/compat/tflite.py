"""The face of the TFLite interpreter: ``from linnet.compat.tflite import Interpreter``.

Tensors are those of the inputs and outputs; inner tensors have no index. Dynamic dimensions read
as 1 until `Interpreter.resize_tensor_input` sets them, as in TFLite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from linnet import load
from linnet.errors import InputError
from linnet.opening import open_graph
from linnet.types import Array, TensorSpec


class Interpreter:
    """A model ready to run, by the TFLite interpreter's names.

    Parameters
    ----------
    model_path : str or PathLike, optional
    model_content : bytes, optional
        A ``.linnet``, TFLite or ONNX model; exactly one of the two.
    num_threads : int, optional
    """

    def __init__(
        self,
        model_path: Any = None,
        model_content: bytes | None = None,
        num_threads: int | None = None,
        **experimental: Any,
    ) -> None:
        if (model_path is None) == (model_content is None):
            raise InputError("give model_path or model_content, one of the two")
        source = model_path if model_content is None else bytes(model_content)
        self._session = load(open_graph(source), num_threads)
        self._specs = (*self._session.inputs, *self._session.outputs)
        self._shapes = [
            tuple(d if isinstance(d, int) else 1 for d in spec.shape) for spec in self._specs
        ]
        self._tensors: dict[int, Array] = {}

    def allocate_tensors(self) -> None:
        """Set every input to zeros of its present shape."""
        for index, spec in enumerate(self._session.inputs):
            self._tensors[index] = np.zeros(self._shapes[index], spec.dtype)

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return name, index, shape, dtype and quantization of each input."""
        return [self._detail(i) for i in range(len(self._session.inputs))]

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return name, index, shape, dtype and quantization of each output."""
        return [self._detail(i) for i in range(len(self._session.inputs), len(self._specs))]

    def resize_tensor_input(
        self, input_index: int, tensor_size: Sequence[int], strict: bool = False
    ) -> None:
        """Set the shape of an input; call `allocate_tensors` afterwards."""
        self._input(input_index)
        self._shapes[input_index] = tuple(int(size) for size in tensor_size)

    def set_tensor(self, tensor_index: int, value: Any) -> None:
        """Set an input.

        Raises
        ------
        InputError
            If there is no such input, or dtype or shape differ from what it has now.
        """
        spec = self._input(tensor_index)
        array = np.asarray(value)
        if array.dtype != spec.dtype or array.shape != self._shapes[tensor_index]:
            wanted = list(self._shapes[tensor_index])
            raise InputError(
                f"input '{spec.name}' is {array.dtype}{list(array.shape)}; expected "
                f"{spec.dtype}{wanted}; resize_tensor_input changes shapes"
            )
        self._tensors[tensor_index] = array.copy()

    def invoke(self) -> None:
        """Run the model on the inputs set."""
        count = len(self._session.inputs)
        missing = [
            spec.name for i, spec in enumerate(self._specs[:count]) if i not in self._tensors
        ]
        if missing:
            raise InputError(f"inputs {missing} are not set; call allocate_tensors or set_tensor")
        feeds = {spec.name: self._tensors[i] for i, spec in enumerate(self._specs[:count])}
        for index, array in enumerate(self._session.run(feeds).values(), count):
            self._tensors[index] = array
            self._shapes[index] = array.shape

    def get_tensor(self, tensor_index: int) -> Array:
        """Return a copy of an input or output.

        Raises
        ------
        InputError
            If the tensor has no content yet.
        """
        if tensor_index not in self._tensors:
            raise InputError(f"tensor {tensor_index} has no content; call invoke first")
        return self._tensors[tensor_index].copy()

    def _input(self, index: int) -> TensorSpec:
        if not 0 <= index < len(self._session.inputs):
            raise InputError(
                f"tensor {index} is not an input; inputs are 0 to {len(self._session.inputs) - 1}"
            )
        return self._specs[index]

    def _detail(self, index: int) -> dict[str, Any]:
        spec, q = self._specs[index], self._specs[index].quantization
        scales = q.scale if q is not None else np.zeros(0, np.float32)
        zeros = q.zero_point if q is not None else np.zeros(0, np.int32)
        single = (float(scales[0]), int(zeros[0])) if len(scales) == 1 else (0.0, 0)
        signature = [d if isinstance(d, int) else -1 for d in spec.shape]
        return {
            "name": spec.name,
            "index": index,
            "shape": np.array(self._shapes[index], np.int32),
            "shape_signature": np.array(signature, np.int32),
            "dtype": spec.dtype.type,
            "quantization": single,
            "quantization_parameters": {
                "scales": scales,
                "zero_points": zeros,
                "quantized_dimension": 0 if q is None or q.axis is None else q.axis,
            },
            "sparsity_parameters": {},
        }
