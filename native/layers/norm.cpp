#include "layers/norm.h"

#include <ATen/TensorOperators.h>

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

}  // namespace st
