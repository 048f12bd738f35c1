#pragma once

#include "ops/linear.h"
#include "ops/residual_norm.h"

namespace st {

// sum = residual + dropout(x W' + bias); out = layer norm of sum, which may use the residual's memory. `sum_TD`, mean
// and rstd may be undefined if no backward pass follows.
void linear_residual_norm(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_D,
                          const DropoutMask& mask, const NormWeights& norm, const at::Tensor& residual_TD,
                          at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T, at::Tensor rstd_T);

}  // namespace st
