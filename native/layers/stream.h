#pragma once

#include <ATen/core/Tensor.h>

#include "onnx/graph.h"

namespace st {

// The data between blocks: the sum of all branches so far, and the next block's input. In post-norm models (BERT) a
// norm replaces the sum, so the two are one tensor. In pre-norm models (ModernBERT) the sum continues, and the next
// block reads its norm. Gradients have the same form.
struct Stream {
  at::Tensor sum_TD, x_TD;

  Stream() = default;
  explicit Stream(const at::Tensor& both_TD) : sum_TD(both_TD), x_TD(both_TD) {}
  Stream(const at::Tensor& sum_TD, const at::Tensor& x_TD) : sum_TD(sum_TD), x_TD(x_TD) {}

  bool is_one() const { return sum_TD.is_same(x_TD); }
};

// The same in a graph of ONNX operators.
struct GraphStream {
  onnx::Value sum, x;
};

}  // namespace st
