#pragma once

#include "ops/dropout.h"

namespace st {

// gamma * normal(x) + beta. A layer norm (Ba et al. 2016) subtracts the mean and divides by the standard deviation; RMS
// norm (Zhang and Sennrich 2019) divides by the root mean square.
enum class NormKind { kLayer, kRms };

struct NormWeights {
  at::Tensor gamma_D, beta_D;  // master dtype; beta undefined = 0
  double epsilon;
  NormKind kind = NormKind::kLayer;
};

// sum := residual + dropout(sum + bias); out = norm of sum. mean and rstd (both [T], master dtype) are undefined if
// no backward pass follows. `bias_D` is in the master dtype, undefined = 0.
void residual_norm(const Input& input, const DropoutMask& mask, const NormWeights& weights, const at::Tensor& bias_D,
                   const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                   at::Tensor rstd_T);

// d_sum: gradient of the sum from its other readers, undefined = none. Writes d_residual and d_linear (d_residual may
// be d_out or d_sum), and adds to the defined gradients of gamma, beta and bias.
void residual_norm_backward(const Input& input, const DropoutMask& mask, const NormWeights& weights,
                            const at::Tensor& d_out_TD, const at::Tensor& d_sum_TD, const at::Tensor& sum_TD,
                            const at::Tensor& mean_T, const at::Tensor& rstd_T, at::Tensor d_residual_TD,
                            at::Tensor d_linear_TD, at::Tensor d_gamma_D, at::Tensor d_beta_D, at::Tensor d_bias_D);

namespace reference {
decltype(st::residual_norm) residual_norm;
decltype(st::residual_norm_backward) residual_norm_backward;
}  // namespace reference

}  // namespace st
