#include <ATen/ops/empty.h>

#include "cuda/dropout_site.h"
#include "cuda/launch.h"
#include "ops/cuda.h"

namespace st::cuda {

at::Tensor dropout_factors(const Dropout& dropout, const at::Tensor& key_1, int64_t rows, const at::Tensor& rows_T,
                           const at::Tensor& positions_T, int64_t width, at::TensorOptions options) {
  // Other types than float32 get the scale afterwards, in their own precision.
  const bool scaled = options.dtype() == at::kFloat;
  DropoutSite site = site_of(dropout, key_1);
  if (!scaled) site.scale = 1;
  const at::Tensor out_TD = at::empty({rows, width}, options.dtype(at::kFloat));
  const DropoutFactors call{
      rows, width, site, device_data<int32_t>(rows_T), device_data<int32_t>(positions_T), device_data<float>(out_TD)};
#if ST_WITH_CUDA
  if (out_TD.is_cuda()) {
    on_device_of(out_TD, "dropout_factors", [&](void* stream) { return launch(call, stream); });
    return scaled ? out_TD : out_TD.to(options).mul_(dropout.scale);
  }
#endif
  check(out_TD.is_cpu(), "ERR_LIBTORCH", "No kernel dropout_factors for ", out_TD.device().str());
  for (int64_t t = 0; t < rows; ++t) dropout_factors_row(call, OneLane(), t);
  return scaled ? out_TD : out_TD.to(options).mul_(dropout.scale);
}

}  // namespace st::cuda
