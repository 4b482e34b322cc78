"""What the exporter makes of our own operators; it calls these functions with symbolic values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from onnxscript import opset18

from .descent import DESCENT
from .quantised import BIAS_COLUMNS, BIAS_LEVEL, LEAST_RANGE, weight_levels

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


def _descent(hidden: Any, parents: Any) -> Any:
    """Translate `exported_descent`: a row of states is copied whole."""
    last = op.Constant(value_ints=[-1])
    rows = op.Unsqueeze(op.Cast(parents, to=onnx.TensorProto.INT64), last)
    return op.GatherND(hidden, rows, batch_dims=1)


def _int8_product(inputs: Any, weight: Any, bias: Any, input_step: float, input_levels: int) -> Any:
    """Translate `quantised.int8_product`.

    A product of dequantised operands is ONNX's form of it; ONNX Runtime multiplies the integers.
    Inputs are lifted by a zero point to be unsigned. A bias is spread over columns of the weight.
    """
    weight_range = op.ReduceMax(op.Abs(weight), op.Constant(value_ints=[-1]), keepdims=0)
    if bias is not None:
        weight_range = op.Max(
            weight_range, op.Div(op.Abs(bias), _float(BIAS_COLUMNS * BIAS_LEVEL * input_step))
        )
    weight_step = op.Div(
        op.Max(weight_range, _float(LEAST_RANGE)), _float(weight_levels(input_levels))
    )
    zeros = op.ConstantOfShape(op.Shape(weight_step), value=_tensor([0], np.int8))
    rounded = op.QuantizeLinear(weight, weight_step, zeros, axis=0)
    if bias is not None:
        total = op.Round(op.Div(bias, op.Mul(weight_step, _float(BIAS_LEVEL * input_step))))
        shares = op.Constant(value=_tensor([*range(BIAS_COLUMNS)], np.float32))
        spread = op.Add(op.Unsqueeze(total, op.Constant(value_ints=[1])), shares)
        columns = op.Floor(op.Div(spread, _float(BIAS_COLUMNS)))  # their sum is the total
        columns = op.Cast(columns, to=onnx.TensorProto.INT8)
        rounded = op.Concat(rounded, columns, axis=1)
        before = [0] * (2 * len(inputs.shape) - 1)
        ends = op.Constant(value_ints=[*before, BIAS_COLUMNS])
        inputs = op.Pad(inputs, ends, _float(BIAS_LEVEL * input_step))
    row_step = None
    if not input_step:
        row_range = op.ReduceMax(op.Abs(inputs), op.Constant(value_ints=[-1]), keepdims=1)
        row_step = op.Div(op.Max(row_range, _float(LEAST_RANGE)), _float(input_levels))
        inputs = op.Div(inputs, row_step)
    step, zero_point = (
        _float(input_step or 1),
        op.Constant(value=_tensor(input_levels + 1, np.uint8)),
    )
    levels = op.QuantizeLinear(inputs, step, zero_point)
    product = op.MatMul(
        op.DequantizeLinear(levels, step, zero_point),
        op.DequantizeLinear(op.Transpose(rounded, perm=[1, 0]), weight_step, zeros, axis=1),
    )
    return product if row_step is None else op.Mul(product, row_step)


def _float(value: float) -> Any:
    return op.Constant(value_float=float(value))


def _tensor(values: Any, dtype: Any) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.array(values, dtype))


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.empgan.gru.default: _gru,
    torch.ops.empgan.int8_product.default: _int8_product,
    DESCENT: _descent,
}
