#pragma once

#include "ops/dropout.h"

namespace st {

struct NormWeights {
  at::Tensor gamma_D, beta_D;  // master dtype
  double epsilon;
};

// sum := residual + dropout(sum + bias); out = layer norm of sum. mean and rstd (both [T], master dtype) are undefined
// where no backward follows. `bias_D` is in the master dtype.
void residual_norm(const Input& input, const DropoutMask& mask, const NormWeights& weights, const at::Tensor& bias_D,
                   const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                   at::Tensor rstd_T);

// d_residual and d_linear are written (d_residual may be d_out); the gradients of gamma, beta and bias are added to.
void residual_norm_backward(const Input& input, const DropoutMask& mask, const at::Tensor& gamma_D,
                            const at::Tensor& d_out_TD, const at::Tensor& sum_TD, const at::Tensor& mean_T,
                            const at::Tensor& rstd_T, at::Tensor d_residual_TD, at::Tensor d_linear_TD,
                            at::Tensor d_gamma_D, at::Tensor d_beta_D, at::Tensor d_bias_D);

namespace reference {
decltype(st::residual_norm) residual_norm;
decltype(st::residual_norm_backward) residual_norm_backward;
}  // namespace reference

}  // namespace st
