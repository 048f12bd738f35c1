// The parts of a training step besides attention and norms: products and AdamW.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sqrt.h>

#include <cmath>
#include <optional>

#include "cuda/device_call.h"
#include "cuda/launch.h"
#include "ops/cuda.h"
#include "ops/device_update.h"

namespace st::cuda {

void add_weight_gradient(const at::Tensor& d_y_TO, const at::Tensor& x_TI, at::Tensor d_weight_OI) {
  if (d_weight_OI.scalar_type() == x_TI.scalar_type()) {
    at::addmm_out(d_weight_OI, d_weight_OI, d_y_TO.t(), x_TI);
    return;
  }
#if ST_HAVE_ADDMM_DTYPE
  // LibTorch has this overload on CUDA alone.
  if (x_TI.is_cuda()) {
    at::addmm_out(d_weight_OI, d_weight_OI, d_y_TO.t(), x_TI, at::kFloat);
    return;
  }
#endif
  d_weight_OI.add_(at::mm(d_y_TO.t(), x_TI));
}

void clip(const at::Tensor& squares, double max_norm, const ClipState& state) {
#if ST_WITH_CUDA
  if (use_kernels() && squares.is_cuda()) {
    const Clip call{device_data<double>(squares),      max_norm,
                    device_data<double>(state.norm),   device_data<double>(state.updates),
                    device_data<double>(state.skips),  device_data<float>(state.divisor),
                    device_data<float>(state.skipped), device_data<float>(state.advanced)};
    on_device_of(squares, "clip", [&](void* stream) { return launch(call, stream); });
    return;
  }
#endif
  at::Tensor norm = state.norm, skipped = state.skipped, advanced = state.advanced;
  at::sqrt_out(norm, squares);
  const at::Tensor finite = at::isfinite(norm);
  advanced.copy_(finite);
  skipped.copy_(finite.logical_not());
  at::Tensor(state.updates).add_(advanced);
  at::Tensor(state.skips).add_(skipped);
  at::Tensor divisor = state.divisor;
  if (max_norm > 0) {
    divisor.copy_(((norm + 1e-6) / max_norm).clamp_min(1));
  } else {
    divisor.fill_(1);
  }
}

void adamw(const AdamWConstants& constants, const at::Tensor& rate, const UpdateScalars& scalars,
           const AdamWTensors& tensors) {
#if ST_WITH_CUDA
  const bool bf16 = !tensors.copy.defined() || tensors.copy.scalar_type() == at::kBFloat16;
  if (use_kernels() && bf16 && tensors.value.is_cuda() && tensors.value.scalar_type() == at::kFloat) {
    const AdamWStep step{static_cast<float>(constants.weight_decay),
                         static_cast<float>(constants.beta2),
                         static_cast<float>(constants.epsilon),
                         static_cast<float>(1 - constants.beta1),
                         static_cast<float>(1 - constants.beta2),
                         static_cast<float>(std::log(constants.beta1)),
                         static_cast<float>(std::log(constants.beta2)),
                         device_data<float>(rate),
                         device_data<float>(scalars.step),
                         device_data<float>(scalars.divisor),
                         device_data<float>(scalars.skipped)};
    const AdamWBuffers buffers{tensors.value.numel(),
                               device_data<float>(tensors.value),
                               device_data<float>(tensors.grad),
                               device_data<float>(tensors.exp_avg),
                               device_data<float>(tensors.exp_avg_sq),
                               device_data<Bf16>(tensors.copy)};
    on_device_of(tensors.value, "adamw", [&](void* stream) { return launch(step, buffers, stream); });
    return;
  }
#endif
  const std::optional<at::Tensor> divisor =
      scalars.divisor.defined() ? std::optional<at::Tensor>(scalars.divisor) : std::nullopt;
  at::_fused_adamw_({tensors.value}, {tensors.grad}, {tensors.exp_avg}, {tensors.exp_avg_sq}, {}, {scalars.step}, rate,
                    constants.beta1, constants.beta2, constants.weight_decay, constants.epsilon, /*amsgrad=*/false,
                    /*maximize=*/false, divisor, scalars.skipped);
  at::Tensor(tensors.grad).zero_();
  if (tensors.copy.defined()) at::Tensor(tensors.copy).copy_(tensors.value);
}

}  // namespace st::cuda
