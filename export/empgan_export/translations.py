"""What the exporter makes of our own operators; it calls these functions with symbolic values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript import opset18

from .quantised import INPUT_LEVELS, LEAST_RANGE, WEIGHT_LEVELS

op: Any = opset18  # its stubs know no symbolic values


def _gru(
    inputs: Any, initial: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any, bias_hh: Any
) -> Any:
    """Translate `exported_gru`.

    Gates r, z, n become ONNX's z, r, h, with the reset gate applied after the recurrent product
    (`linear_before_reset`), as PyTorch and cuDNN do. A Reshape comes last: where a product of
    float16 followed a Transpose, ONNX Runtime 1.32 would crash on the CPU.
    """
    first = op.Constant(value_ints=[0])
    biases = op.Concat(_reordered(bias_ih), _reordered(bias_hh), axis=0)
    states, _ = op.GRU(
        op.Transpose(inputs, perm=[1, 0, 2]),
        op.Unsqueeze(_reordered(weight_ih), first),
        op.Unsqueeze(_reordered(weight_hh), first),
        op.Unsqueeze(biases, first),
        None,
        op.Unsqueeze(initial, first),
        hidden_size=weight_hh.shape[1],
        linear_before_reset=1,
    )
    rows_first = op.Transpose(states, perm=[2, 0, 1, 3])
    return op.Reshape(rows_first, op.Constant(value_ints=[0, 0, -1]))


def _reordered(stacked: Any) -> Any:
    reset, update, new = op.Split(stacked, axis=0, num_outputs=3)
    return op.Concat(update, reset, new, axis=0)


def _int8_product(inputs: Any, weight: Any, input_range: float) -> Any:
    """Translate `quantised.int8_product`.

    A product of dequantised operands is ONNX's form of it; ONNX Runtime multiplies the integers.
    Inputs are lifted by a zero point to be unsigned.
    """
    last, least = op.Constant(value_ints=[-1]), op.Constant(value_float=LEAST_RANGE)
    weight_range = op.Max(op.ReduceMax(op.Abs(weight), last, keepdims=0), least)
    weight_step = op.Div(weight_range, op.Constant(value_float=float(WEIGHT_LEVELS)))
    zeros = op.ConstantOfShape(op.Shape(weight_step), value=_tensor([0], np.int8))
    weight_levels = op.QuantizeLinear(weight, weight_step, zeros, axis=0)
    across = op.Transpose(weight_levels, perm=[1, 0])
    step = op.Constant(value_float=(input_range or INPUT_LEVELS) / INPUT_LEVELS)
    row_step = None
    if not input_range:
        row_range = op.Max(op.ReduceMax(op.Abs(inputs), last, keepdims=1), least)
        row_step = op.Div(row_range, op.Constant(value_float=float(INPUT_LEVELS)))
        inputs = op.Div(inputs, row_step)
    zero_point = op.Constant(value=_tensor(INPUT_LEVELS + 1, np.uint8))
    levels = op.QuantizeLinear(inputs, step, zero_point)
    product = op.MatMul(
        op.DequantizeLinear(levels, step, zero_point),
        op.DequantizeLinear(across, weight_step, zeros, axis=1),
    )
    return product if row_step is None else op.Mul(product, row_step)


def _tensor(values: Any, dtype: Any) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.array(values, dtype))


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.empgan.gru.default: _gru,
    torch.ops.empgan.int8_product.default: _int8_product,
}
