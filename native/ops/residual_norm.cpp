#include "ops/residual_norm.h"

#include <ATen/TensorOperators.h>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/cuda.h"
#include "ops/norm_math.h"
#include "ops/residual_norm_call.h"

namespace st {

namespace {
constexpr int64_t kGrain = 16;  // tokens that are worth a thread
}

void residual_norm(const Input& input, const DropoutMask& mask, const NormWeights& weights, const at::Tensor& bias_D,
                   const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                   at::Tensor rstd_T) {
  const ProfileScope scope("dropout + norm");
  if (!has_kernels(sum_TD)) {
    return cuda::residual_norm(input, mask, weights, bias_D, residual_TD, sum_TD, out_TD, mean_T, rstd_T);
  }
  with_storage(sum_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1);
    const auto call = residual_norm_call<S>(input, mask, weights, bias_D, residual_TD, sum_TD, out_TD, mean_T, rstd_T);
    parallel_ranges(input.tokens(), parallel_parts(input.tokens(), kGrain), [&](int64_t, int64_t begin, int64_t end) {
      const int64_t norm_scratch = kernels::norm_scratch(width);
      A* scratch = thread_scratch<A>(norm_scratch + width);
      if constexpr (std::is_same_v<S, A>) {
        kernels::table<S>().residual_norm(call, begin, end, call.sum_TD + begin * width, scratch);
      } else {
        A* row = scratch + norm_scratch;
        for (int64_t t = begin; t < end; ++t) {
          kernels::table<S>().widen(width, call.sum_TD + t * width, row);
          kernels::table<S>().residual_norm(call, t, t + 1, row, scratch);
        }
      }
    });
  });
}

void residual_norm_backward(const Input& input, const DropoutMask& mask, const NormWeights& weights,
                            const at::Tensor& d_out_TD, const at::Tensor& d_sum_TD, const at::Tensor& sum_TD,
                            const at::Tensor& mean_T, const at::Tensor& rstd_T, at::Tensor d_residual_TD,
                            at::Tensor d_linear_TD, at::Tensor d_gamma_D, at::Tensor d_beta_D, at::Tensor d_bias_D) {
  const ProfileScope scope("dropout + norm, backward");
  if (!has_kernels(sum_TD)) {
    return cuda::residual_norm_backward(input, mask, weights, d_out_TD, d_sum_TD, sum_TD, mean_T, rstd_T, d_residual_TD,
                                        d_linear_TD, d_gamma_D, d_beta_D, d_bias_D);
  }
  with_storage(sum_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1), parts = parallel_parts(input.tokens(), kGrain);
    const kernels::ResidualNormBackward<S> call{.width = width,
                                                .rms = weights.kind == NormKind::kRms,
                                                .dropout_scale = static_cast<A>(mask.dropout.scale),
                                                .mask_TM = data<uint16_t>(mask.kept_TM),
                                                .gamma_D = data<A>(weights.gamma_D),
                                                .d_out_TD = data<S>(d_out_TD),
                                                .d_sum_TD = data<S>(d_sum_TD),
                                                .sum_TD = data<S>(sum_TD),
                                                .mean_T = data<A>(mean_T),
                                                .rstd_T = data<A>(rstd_T),
                                                .d_residual_TD = data<S>(d_residual_TD),
                                                .d_linear_TD = data<S>(d_linear_TD)};
    std::vector<A> partial(parts * 3 * width);
    parallel_ranges(input.tokens(), parts, [&](int64_t part, int64_t begin, int64_t end) {
      kernels::table<S>().residual_norm_backward(call, begin, end, partial.data() + part * 3 * width,
                                                 thread_scratch<A>(kernels::norm_scratch(width)));
    });
    add_partials(partial, width, {d_gamma_D, d_beta_D, d_bias_D});
  });
}

namespace reference {

void residual_norm(const Input& input, const DropoutMask& mask, const NormWeights& weights, const at::Tensor& bias_D,
                   const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                   at::Tensor rstd_T) {
  const at::ScalarType master = weights.gamma_D.scalar_type();
  at::Tensor x_TD = sum_TD.to(master);
  if (bias_D.defined()) x_TD = x_TD + bias_D;
  if (mask.dropout.active()) x_TD = x_TD * dropout_multiplier_TD(mask.dropout, input, x_TD.size(1), master);
  x_TD = x_TD + residual_TD.to(master);
  const Normalized n = normalize(x_TD, weights);
  sum_TD.copy_(x_TD);
  out_TD.copy_(n.out_TD);
  if (mean_T.defined()) {
    mean_T.copy_(n.mean_T1.squeeze(1));
    rstd_T.copy_(n.rstd_T1.squeeze(1));
  }
}

void residual_norm_backward(const Input& input, const DropoutMask& mask, const NormWeights& weights,
                            const at::Tensor& d_out_TD, const at::Tensor& d_sum_TD, const at::Tensor& sum_TD,
                            const at::Tensor& mean_T, const at::Tensor& rstd_T, at::Tensor d_residual_TD,
                            at::Tensor d_linear_TD, at::Tensor d_gamma_D, at::Tensor d_beta_D, at::Tensor d_bias_D) {
  const at::ScalarType master = weights.gamma_D.scalar_type();
  at::Tensor d_x_TD =
      normalize_backward(d_out_TD.to(master), sum_TD.to(master), mean_T, rstd_T, weights, d_gamma_D, d_beta_D);
  if (d_sum_TD.defined()) d_x_TD = d_x_TD + d_sum_TD.to(master);
  at::Tensor d_TD = d_x_TD;
  if (mask.dropout.active()) d_TD = d_TD * dropout_multiplier_TD(mask.dropout, input, d_TD.size(1), master);
  if (d_bias_D.defined()) d_bias_D.add_(d_TD.sum(0));
  d_residual_TD.copy_(d_x_TD);
  d_linear_TD.copy_(d_TD);
}

}  // namespace reference

}  // namespace st
