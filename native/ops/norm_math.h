#pragma once

#include <ATen/core/Tensor.h>

namespace st::reference {

// Layer norm of x in its own dtype: [T, D] and the statistics [T, 1].
struct Normalized {
  at::Tensor normal_TD, mean_T1, rstd_T1;
};
Normalized normalize(const at::Tensor& x_TD, double epsilon);

// d_x from dy, with the gradients of gamma and beta added to.
at::Tensor normalize_backward(const at::Tensor& dy_TD, const at::Tensor& x_TD, const at::Tensor& mean_T,
                              const at::Tensor& rstd_T, const at::Tensor& gamma_D, at::Tensor d_gamma_D,
                              at::Tensor d_beta_D);

}  // namespace st::reference
