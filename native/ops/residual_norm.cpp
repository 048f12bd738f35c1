#include "ops/residual_norm.h"

#include <ATen/TensorOperators.h>

#include "core/parallel.h"
#include "core/profile.h"
#include "ops/cpu_call.h"
#include "ops/cuda.h"
#include "ops/norm_math.h"

namespace st {

namespace {
constexpr int64_t kGrain = 16;  // tokens that are worth a thread
}

void residual_norm(const Input& input, const DropoutMask& mask, const NormWeights& weights, const at::Tensor& bias_D,
                   const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                   at::Tensor rstd_T) {
  const ProfileScope scope("dropout + norm");
  if (!sum_TD.is_cpu()) {
    return cuda::residual_norm(input, mask, weights, bias_D, residual_TD, sum_TD, out_TD, mean_T, rstd_T);
  }
  with_storage(sum_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1);
    const kernels::ResidualNorm<S> call{width,
                                        static_cast<A>(weights.epsilon),
                                        mask.dropout,
                                        token_places(input),
                                        data<A>(bias_D),
                                        data<A>(weights.gamma_D),
                                        data<A>(weights.beta_D),
                                        data<S>(residual_TD),
                                        data<S>(sum_TD),
                                        data<S>(out_TD),
                                        data<A>(mean_T),
                                        data<A>(rstd_T),
                                        data<uint16_t>(mask.kept_TM)};
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

void residual_norm_backward(const Input& input, const DropoutMask& mask, const at::Tensor& gamma_D,
                            const at::Tensor& d_out_TD, const at::Tensor& sum_TD, const at::Tensor& mean_T,
                            const at::Tensor& rstd_T, at::Tensor d_residual_TD, at::Tensor d_linear_TD,
                            at::Tensor d_gamma_D, at::Tensor d_beta_D, at::Tensor d_bias_D) {
  const ProfileScope scope("dropout + norm, backward");
  if (!sum_TD.is_cpu()) {
    return cuda::residual_norm_backward(input, mask, gamma_D, d_out_TD, sum_TD, mean_T, rstd_T, d_residual_TD,
                                        d_linear_TD, d_gamma_D, d_beta_D, d_bias_D);
  }
  with_storage(sum_TD.scalar_type(), [&]<typename S>(S) {
    using A = kernels::arithmetic_t<S>;
    const int64_t width = sum_TD.size(1), parts = parallel_parts(input.tokens(), kGrain);
    const kernels::ResidualNormBackward<S> call{width,
                                                static_cast<A>(mask.dropout.scale),
                                                data<uint16_t>(mask.kept_TM),
                                                data<A>(gamma_D),
                                                data<S>(d_out_TD),
                                                data<S>(sum_TD),
                                                data<A>(mean_T),
                                                data<A>(rstd_T),
                                                data<S>(d_residual_TD),
                                                data<S>(d_linear_TD)};
    std::vector<A> partial(parts * 3 * width);
    parallel_ranges(input.tokens(), parts, [&](int64_t part, int64_t begin, int64_t end) {
      kernels::table<S>().residual_norm_backward(call, begin, end, partial.data() + part * 3 * width,
                                                 thread_scratch<A>(kernels::norm_scratch(width)));
    });
    add_partials(partial, {d_gamma_D, d_beta_D, d_bias_D});
  });
}

namespace reference {

void residual_norm(const Input& input, const DropoutMask& mask, const NormWeights& weights, const at::Tensor& bias_D,
                   const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                   at::Tensor rstd_T) {
  const at::ScalarType master = weights.gamma_D.scalar_type();
  at::Tensor x_TD = sum_TD.to(master) + bias_D;
  if (mask.dropout.active()) x_TD = x_TD * dropout_multiplier_TD(mask.dropout, input, x_TD.size(1), master);
  x_TD = x_TD + residual_TD.to(master);
  const Normalized n = normalize(x_TD, weights.epsilon);
  sum_TD.copy_(x_TD);
  out_TD.copy_(n.normal_TD * weights.gamma_D + weights.beta_D);
  if (mean_T.defined()) {
    mean_T.copy_(n.mean_T1.squeeze(1));
    rstd_T.copy_(n.rstd_T1.squeeze(1));
  }
}

void residual_norm_backward(const Input& input, const DropoutMask& mask, const at::Tensor& gamma_D,
                            const at::Tensor& d_out_TD, const at::Tensor& sum_TD, const at::Tensor& mean_T,
                            const at::Tensor& rstd_T, at::Tensor d_residual_TD, at::Tensor d_linear_TD,
                            at::Tensor d_gamma_D, at::Tensor d_beta_D, at::Tensor d_bias_D) {
  const at::ScalarType master = gamma_D.scalar_type();
  const at::Tensor d_sum_TD =
      normalize_backward(d_out_TD.to(master), sum_TD.to(master), mean_T, rstd_T, gamma_D, d_gamma_D, d_beta_D);
  at::Tensor d_TD = d_sum_TD;
  if (mask.dropout.active()) d_TD = d_TD * dropout_multiplier_TD(mask.dropout, input, d_TD.size(1), master);
  d_bias_D.add_(d_TD.sum(0));
  d_residual_TD.copy_(d_sum_TD);
  d_linear_TD.copy_(d_TD);
}

}  // namespace reference

}  // namespace st
