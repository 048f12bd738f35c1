#include "ops/linear_residual_norm.h"

#include "core/profile.h"
#include "ops/linear_rows.h"
#include "ops/residual_norm_call.h"

namespace st {

void linear_residual_norm(const Input& input, const at::Tensor& x_TI, const Weight& weight, const at::Tensor& bias_D,
                          const DropoutMask& mask, const NormWeights& norm, const at::Tensor& residual_TD,
                          at::Tensor sum_TD, at::Tensor out_TD, at::Tensor mean_T, at::Tensor rstd_T) {
  const ProfileScope scope("linear + dropout + norm");
  if (!product::available(x_TI)) {
    const Scratch scratch(weight.workspace);
    if (!sum_TD.defined()) sum_TD = weight.workspace.take(out_TD.sizes(), out_TD.scalar_type());
    linear(x_TI, weight, at::Tensor(), sum_TD);
    return residual_norm(input, mask, norm, bias_D, residual_TD, sum_TD, out_TD, mean_T, rstd_T);
  }
  with_product_storage(x_TI.scalar_type(), [&]<typename S>(S) {
    const int64_t width = out_TD.size(1);
    const auto call = residual_norm_call<S>(input, mask, norm, bias_D, residual_TD, sum_TD, out_TD, mean_T, rstd_T);
    linear_rows<S>(x_TI, weight, same_memory<S>(sum_TD), [&](int64_t, int64_t begin, int64_t end, const float* sums) {
      kernels::table<S>().residual_norm(call, begin, end, sums, thread_scratch<float>(kernels::norm_scratch(width)));
    });
  });
}

}  // namespace st
