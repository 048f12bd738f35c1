#pragma once

#include "ops/linear.h"

namespace st {

// The columns of a projection [T, X] that rotate by their token's position: the first `rotated` of each of the first
// `heads` heads.
struct RotaryShape {
  int64_t heads, head_dim, rotated;
};

// The rotation of each token: its row in a table of cosines and sines (master dtype, [P, 2 R]).
struct RotaryAngles {
  at::Tensor table_PR;
  at::Tensor places_T;  // int32: usually the positions
};

// cos and sin of position * frequency_R: [positions, 2 R], of the dtype and device of the frequencies.
at::Tensor rotary_table(const at::Tensor& frequency_R, int64_t positions);

// out = x W' + bias (undefined = 0), rotated.
void linear_rotary(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_X, const RotaryShape& shape,
                   const RotaryAngles& angles, at::Tensor out_TX);

// Turns the gradient of out into that of x W' + bias. Adds its sums over the rows to d_bias (master dtype), if defined.
void linear_rotary_backward(const RotaryShape& shape, const RotaryAngles& angles, at::Tensor d_TX, at::Tensor d_bias_X);

namespace reference {
// Rotates in place; by the negative angles if `back`.
void rotate(const RotaryShape& shape, const RotaryAngles& angles, bool back, at::Tensor x_TX);
}  // namespace reference

}  // namespace st
