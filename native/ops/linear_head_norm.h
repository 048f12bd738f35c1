#pragma once

#include "ops/linear_rotary.h"
#include "ops/residual_norm.h"

// Queries and keys whose heads pass an RMS norm each before they are turned by their position (Qwen3, Gemma3).
// Shapes: K width of queries and keys together, E head size.
namespace st {

// The norm of the first `query_heads` heads of a projection, and that of its other rotated heads. Both are RMS norms
// without beta.
struct HeadNorms {
  int64_t query_heads;
  NormWeights query, key;
};

// Sums of gradients, in the master dtype; undefined: not wanted.
struct HeadNormGradients {
  at::Tensor query_E, key_E, bias_X;
};

// out = x W' + bias (undefined = 0), normed by heads and rotated. kept_TK gets queries and keys as they were before the
// norm; undefined where no backward pass follows.
void linear_head_norm(const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_X, const HeadNorms& norms,
                      const RotaryShape& shape, const RotaryAngles& angles, at::Tensor kept_TK, at::Tensor out_TX);

// Turns the gradient of out into that of x W' + bias, and adds to the sums.
void linear_head_norm_backward(const HeadNorms& norms, const RotaryShape& shape, const RotaryAngles& angles,
                               const at::Tensor& kept_TK, at::Tensor d_TX, const HeadNormGradients& sums);

namespace reference {
// In place, before the rotation.
void head_norm(const HeadNorms& norms, const RotaryShape& shape, at::Tensor kept_TK, at::Tensor x_TX);
void head_norm_backward(const HeadNorms& norms, const RotaryShape& shape, const at::Tensor& kept_TK, at::Tensor d_TX,
                        const HeadNormGradients& sums);
}  // namespace reference

}  // namespace st
