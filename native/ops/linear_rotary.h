#pragma once

#include "ops/input.h"
#include "ops/linear.h"

namespace st {

// Which columns of a projection [T, X] are turned by their token's position: the first `rotated` of each of the first
// `heads` heads.
struct RotaryShape {
  int64_t heads, head_dim, rotated;
};

// cos and sin of position * frequency_R: [positions, 2 R] (float32, of the device of the frequencies).
at::Tensor rotary_table(const at::Tensor& frequency_R, int64_t positions);

// out = x W' + bias (undefined = 0), turned. `table_PR` has a row for every position of the input.
void linear_rotary(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_X,
                   const RotaryShape& shape, const at::Tensor& table_PR, at::Tensor out_TX);

// Turns the gradient of out into that of x W' + bias. Adds its sums over the rows to d_bias (master dtype), if defined.
void linear_rotary_backward(const Input& input, const RotaryShape& shape, const at::Tensor& table_PR, at::Tensor d_TX,
                            at::Tensor d_bias_X);

namespace reference {
// In place; by the angles with their sign turned when `back`.
void rotate(const Input& input, const RotaryShape& shape, const at::Tensor& table_PR, bool back, at::Tensor x_TX);
}  // namespace reference

}  // namespace st
