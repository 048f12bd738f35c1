#include "cuda/residual_norm.h"

#include <ATen/ops/empty.h>

#include "cuda/device_call.h"
#include "cuda/dropout_site.h"
#include "cuda/launch.h"
#include "ops/cuda.h"

namespace st::cuda {

namespace {

// Whether the kernel takes these tensors.
bool fits(const at::Tensor& x_TD, const NormWeights& weights, bool biased) {
  if (weights.kind != NormKind::kLayer || !weights.beta_D.defined() || !biased) return false;
  const bool type = x_TD.scalar_type() == at::kFloat || x_TD.scalar_type() == at::kBFloat16;
  return ST_WITH_CUDA && use_kernels() && x_TD.is_cuda() && type && x_TD.size(1) <= kWidestRow;
}

#if ST_WITH_CUDA
template <typename Work>
void with_storage(at::ScalarType type, const Work& work) {
  type == at::kFloat ? work(float{}) : work(Bf16{});
}
#endif

}  // namespace

void residual_norm(const Input& input, const DropoutMask& mask, const NormWeights& weights, const at::Tensor& bias_D,
                   const at::Tensor& residual_TD, at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T,
                   at::Tensor rstd_T) {
  if (!fits(sum_TD, weights, bias_D.defined())) {
    return reference::residual_norm(input, mask, weights, bias_D, residual_TD, sum_TD, out_TD, mean_T, rstd_T);
  }
#if ST_WITH_CUDA
  with_storage(sum_TD.scalar_type(), [&]<typename S>(S) {
    const ResidualNorm<S> call{sum_TD.size(0),
                               sum_TD.size(1),
                               static_cast<float>(weights.epsilon),
                               site_of(mask.dropout, input.key_1),
                               device_data<int32_t>(input.rows_T),
                               device_data<int32_t>(input.positions_T),
                               device_data<float>(bias_D),
                               device_data<float>(weights.gamma_D),
                               device_data<float>(weights.beta_D),
                               device_data<S>(residual_TD),
                               device_data<S>(sum_TD),
                               device_data<S>(out_TD),
                               device_data<float>(mean_T),
                               device_data<float>(rstd_T)};
    on_device_of(sum_TD, "residual_norm", [&](void* stream) { return launch(call, stream); });
  });
#endif
}

void residual_norm_backward(const Input& input, const DropoutMask& mask, const NormWeights& weights,
                            const at::Tensor& d_out_TD, const at::Tensor& d_sum_TD, const at::Tensor& sum_TD,
                            const at::Tensor& mean_T, const at::Tensor& rstd_T, at::Tensor d_residual_TD,
                            at::Tensor d_linear_TD, at::Tensor d_gamma_D, at::Tensor d_beta_D, at::Tensor d_bias_D) {
  if (d_sum_TD.defined() || !d_gamma_D.defined() || !d_beta_D.defined() || !fits(sum_TD, weights, d_bias_D.defined())) {
    return reference::residual_norm_backward(input, mask, weights, d_out_TD, d_sum_TD, sum_TD, mean_T, rstd_T,
                                             d_residual_TD, d_linear_TD, d_gamma_D, d_beta_D, d_bias_D);
  }
#if ST_WITH_CUDA
  const int64_t tokens = sum_TD.size(0), width = sum_TD.size(1);
  const at::Tensor parts_P3D = at::empty({residual_norm_parts(tokens), 3, width}, weights.gamma_D.options());
  const NormGradients gradients{device_data<float>(d_gamma_D), device_data<float>(d_beta_D),
                                device_data<float>(d_bias_D)};
  with_storage(sum_TD.scalar_type(), [&]<typename S>(S) {
    const ResidualNormBackward<S> call{tokens,
                                       width,
                                       site_of(mask.dropout, input.key_1),
                                       device_data<int32_t>(input.rows_T),
                                       device_data<int32_t>(input.positions_T),
                                       device_data<float>(weights.gamma_D),
                                       device_data<S>(d_out_TD),
                                       device_data<S>(sum_TD),
                                       device_data<float>(mean_T),
                                       device_data<float>(rstd_T),
                                       device_data<S>(d_residual_TD),
                                       device_data<S>(d_linear_TD)};
    on_device_of(sum_TD, "residual_norm_backward",
                 [&](void* stream) { return launch(call, gradients, device_data<float>(parts_P3D), stream); });
  });
#endif
}

}  // namespace st::cuda
