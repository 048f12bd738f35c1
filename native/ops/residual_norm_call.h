#pragma once

#include "ops/cpu_call.h"
#include "ops/residual_norm.h"

namespace st {

// The arguments of the kernel of residual_norm.
template <typename S>
kernels::ResidualNorm<S> residual_norm_call(const Input& input, const DropoutMask& mask, const NormWeights& norm,
                                            const at::Tensor& bias_D, const at::Tensor& residual_TD,
                                            const at::Tensor& sum_TD, const at::Tensor& out_TD,
                                            const at::Tensor& mean_T, const at::Tensor& rstd_T) {
  using A = kernels::arithmetic_t<S>;
  return {.width = out_TD.size(1),
          .epsilon = static_cast<A>(norm.epsilon),
          .rms = norm.kind == NormKind::kRms,
          .dropout = mask.dropout,
          .tokens = token_places(input),
          .bias_D = data<A>(bias_D),
          .gamma_D = data<A>(norm.gamma_D),
          .beta_D = data<A>(norm.beta_D),
          .residual_TD = data<S>(residual_TD),
          .sum_TD = data<S>(sum_TD),
          .out_TD = data<S>(out_TD),
          .mean_T = data<A>(mean_T),
          .rstd_T = data<A>(rstd_T),
          .mask_TM = data<uint16_t>(mask.kept_TM)};
}

}  // namespace st
