#pragma once

#include <ATen/core/Tensor.h>

namespace st {

class Workspace;

// The matrix of a linear layer. Where the processor has kernels of its own they read it packed: once for all in
// `packed_OI` (pack_weight, for as many rows as x has), or by each op for itself where that is null.
struct Weight {
  const at::Tensor& value_OI;
  const at::Tensor* packed_OI;
  Workspace& workspace;
};

// W' as the kernels of linear() read it for an x of so many rows; undefined where there are none for its dtype and
// shape.
at::Tensor pack_weight(const at::Tensor& value_OI, int64_t rows, Workspace& workspace);
// 0 or 1: which of two ways of packing float weights so many rows have; what is packed serves all rows of its way.
int packing_way(int64_t rows);

// The same in 8 bits (float32 weights; only for processors of which has_int8_products()): the ops quantise x row by
// row.
at::Tensor pack_weight_int8(const at::Tensor& value_OI, Workspace& workspace);
bool has_int8_products();

// out = x W' (+ bias). x, W and out in the compute dtype; bias in the master dtype, or undefined.
void linear(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_O, at::Tensor out_TO);

// d_x := d_y W, or d_x += d_y W when `accumulate`.
void linear_backward_input(const at::Tensor& d_y_TO, const Weight& weight, at::Tensor d_x_TI, bool accumulate);

// d_weight (master dtype) += d_y' x.
void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI,
                            Workspace& workspace);

namespace reference {
void linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O, at::Tensor out_TO);
void linear_backward_input(const at::Tensor& d_y_TO, const at::Tensor& weight_OI, at::Tensor d_x_TI, bool accumulate);
void linear_backward_weight(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI);
}  // namespace reference

}  // namespace st
