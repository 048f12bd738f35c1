#include "ops/norm_math.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros_like.h>

namespace st::reference {

Normalized normalize(const at::Tensor& x_TD, const NormWeights& weights) {
  at::Tensor mean_T1 = x_TD.mean(1, true);
  if (weights.kind == NormKind::kRms) mean_T1 = at::zeros_like(mean_T1);
  const at::Tensor centred_TD = x_TD - mean_T1;
  const at::Tensor rstd_T1 = at::rsqrt(centred_TD.square().mean(1, true) + weights.epsilon);
  const at::Tensor out_TD = centred_TD * rstd_T1 * weights.gamma_D;
  return {weights.beta_D.defined() ? out_TD + weights.beta_D : out_TD, mean_T1, rstd_T1};
}

at::Tensor normalize_backward(const at::Tensor& dy_TD, const at::Tensor& x_TD, const at::Tensor& mean_T,
                              const at::Tensor& rstd_T, const NormWeights& weights, at::Tensor d_gamma_D,
                              at::Tensor d_beta_D) {
  const at::Tensor rstd_T1 = rstd_T.unsqueeze(1);
  const at::Tensor normal_TD = (x_TD - mean_T.unsqueeze(1)) * rstd_T1;
  const at::Tensor g_TD = dy_TD * weights.gamma_D;
  if (d_gamma_D.defined()) d_gamma_D.add_((dy_TD * normal_TD).sum(0));
  if (d_beta_D.defined()) d_beta_D.add_(dy_TD.sum(0));
  const at::Tensor along_TD = g_TD - normal_TD * (g_TD * normal_TD).mean(1, true);
  return rstd_T1 * (weights.kind == NormKind::kRms ? along_TD : along_TD - g_TD.mean(1, true));
}

}  // namespace st::reference
