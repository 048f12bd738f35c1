#pragma once

#include "ops/residual_norm.h"

namespace st::reference {

// The norm of x in the dtype of x: [T, D], with its statistics [T, 1]; the mean of RMS norm counts as 0.
struct Normalized {
  at::Tensor out_TD, mean_T1, rstd_T1;
};
Normalized normalize(const at::Tensor& x_TD, const NormWeights& weights);

// d_x from dy. Adds the gradients of gamma and beta, where defined.
at::Tensor normalize_backward(const at::Tensor& dy_TD, const at::Tensor& x_TD, const at::Tensor& mean_T,
                              const at::Tensor& rstd_T, const NormWeights& weights, at::Tensor d_gamma_D,
                              at::Tensor d_beta_D);

}  // namespace st::reference
