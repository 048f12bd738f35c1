#include "layers/norm.h"

#include <ATen/TensorOperators.h>

#include "core/error.h"
#include "onnx/ops.h"

namespace st {

Norm::Norm(Layout& layout, const std::string& name, int64_t width, const NormOptions& options)
    : gamma_(layout.add(name + ".weight", {width}, Group::kNoDecay)),
      beta_(options.beta ? layout.add(name + ".bias", {width}, Group::kNoDecay) : -1),
      options_(options) {}

NormWeights Norm::weights(const Pass& pass) const {
  const at::Tensor& weight_D = pass.parameters.master(gamma_);
  return {.gamma_D = options_.one_plus ? weight_D + 1 : weight_D,
          .beta_D = beta_ >= 0 ? pass.parameters.master(beta_) : at::Tensor(),
          .epsilon = options_.epsilon,
          .kind = options_.kind};
}

onnx::Value Norm::add_to(onnx::Graph& graph, const onnx::Value& x) const {
  const onnx::Value weight = graph.parameter(gamma_);
  const onnx::Value gamma = options_.one_plus ? onnx::add(graph, weight, graph.number(1)) : weight;
  const onnx::Value beta = beta_ >= 0 ? graph.parameter(beta_) : onnx::Value();
  if (options_.kind == NormKind::kLayer) return onnx::layer_norm(graph, x, gamma, beta, options_.epsilon);
  check(beta.empty(), "ERR_NOT_IMPLEMENTED", "An RMS norm with a bias is not built for ONNX files");
  return onnx::rms_norm(graph, x, gamma, options_.epsilon);
}

}  // namespace st
