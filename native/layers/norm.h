#pragma once

#include <string>

#include "layers/pass.h"
#include "onnx/graph.h"
#include "ops/residual_norm.h"

namespace st {

struct NormOptions {
  double epsilon;
  NormKind kind = NormKind::kLayer;
  bool beta = true;
  bool one_plus = false;  // gamma is 1 + weight (Gemma)
};

// The weights of a norm: `<name>.weight` and, if it has a bias, `<name>.bias`.
class Norm {
 public:
  Norm() = default;
  Norm(Layout& layout, const std::string& name, int64_t width, const NormOptions& options);

  NormWeights weights(const Pass& pass) const;
  // Along the last dimension.
  onnx::Value add_to(onnx::Graph& graph, const onnx::Value& x) const;
  const at::Tensor& gamma_gradient(const Gradients& gradients) const { return gradients[gamma_]; }
  at::Tensor beta_gradient(const Gradients& gradients) const { return beta_ >= 0 ? gradients[beta_] : at::Tensor(); }

  bool is_trained(const Gradients& gradients) const {
    return gamma_gradient(gradients).defined() || beta_gradient(gradients).defined();
  }

 private:
  ParamId gamma_ = -1, beta_ = -1;
  NormOptions options_ = {};
};

}  // namespace st
