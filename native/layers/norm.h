#pragma once

#include <string>

#include "layers/pass.h"
#include "ops/residual_norm.h"

namespace st {

// gamma and beta of a layer norm.
class Norm {
 public:
  Norm() = default;
  Norm(Layout& layout, const std::string& name, int64_t width, double epsilon);

  NormWeights weights(const Pass& pass) const {
    return {pass.parameters.master(gamma_), pass.parameters.master(beta_), epsilon_};
  }
  const at::Tensor& gamma_gradient(const Gradients& gradients) const { return gradients[gamma_]; }
  const at::Tensor& beta_gradient(const Gradients& gradients) const { return gradients[beta_]; }

 private:
  ParamId gamma_ = -1, beta_ = -1;
  double epsilon_ = 0;
};

}  // namespace st
