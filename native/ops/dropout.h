#pragma once

#include "core/philox.h"
#include "ops/input.h"

namespace st {

// Columns of DropoutMask::kept_TM for hidden states of this width.
constexpr int64_t mask_words(int64_t width) {
  return (width + 127) / 128 * 8;
}

// A dropout of hidden states with the mask that its forward pass draws and its backward pass reads: a bit for every
// element, 1 = kept, 16 neighbouring columns in a word. 8 words are a group of Dropout::multiplier.
struct DropoutMask {
  Dropout dropout;
  at::Tensor kept_TM;  // [T, mask_words(D)] of 16 bits (kShort); undefined where nothing is dropped
};

// x := x times the factors of a dropout, where it is active; the same call on the gradient is the way back. `also`: a
// second matrix of this shape with the same factors, or undefined.
void drop(const Input& input, const Dropout& dropout, at::Tensor x_TD, at::Tensor also_TD = {});

// The readable reference of every dropout: the factors (0 or scale) of each element of a [T, width] tensor. The
// device computes them if an own CUDA kernel can, else the host does.
at::Tensor dropout_multiplier_TD(const Dropout& dropout, const Input& input, int64_t width, at::ScalarType type);
// The same for one position of each text: [texts, width].
at::Tensor dropout_multiplier_RD(const Dropout& dropout, const Input& input, int64_t width, at::TensorOptions options);
// The same for the probabilities of one row of attention: [heads, queries, keys].
at::Tensor dropout_multiplier_HQK(const Dropout& dropout, int64_t row, int64_t heads, int64_t queries, int64_t keys,
                                  at::TensorOptions options);

namespace reference {
decltype(st::drop) drop;
}  // namespace reference

}  // namespace st
