// What of a training step is neither attention nor a norm: products, AdamW, settings.
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "cuda/device_call.h"
#include "cuda/launch.h"
#include "ops/cuda.h"

namespace st::cuda {

namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0' || std::strcmp(value, "0") == 0) return false;
  check(std::strcmp(value, "1") == 0, "ERR_INVALID_ARGUMENT", "Expected 0 or 1 for ", name, " but found ", value);
  return true;
}

}  // namespace

bool use_kernels() {
  static const bool on = is_set("SENTENCE_TORCH_CUDA_KERNELS");
  return on;
}

void configure() {
  at::globalContext().setAllowTF32CuBLAS(is_set("SENTENCE_TORCH_TF32"));
}

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

void adamw(const AdamWUpdate& update, at::Tensor value, at::Tensor grad, at::Tensor exp_avg, at::Tensor exp_avg_sq) {
#if ST_WITH_CUDA
  if (use_kernels() && value.is_cuda() && value.scalar_type() == at::kFloat) {
    const auto step = static_cast<double>(update.step);
    const AdamWStep constants{static_cast<float>(update.lr),
                              static_cast<float>(update.weight_decay),
                              static_cast<float>(update.beta2),
                              static_cast<float>(update.epsilon),
                              static_cast<float>(1 - update.beta1),
                              static_cast<float>(1 - update.beta2),
                              static_cast<float>(1 - std::pow(update.beta1, step)),
                              static_cast<float>(std::sqrt(1 - std::pow(update.beta2, step))),
                              static_cast<float>(update.grad_factor),
                              nullptr,
                              0};
    const AdamWBuffers buffers{value.numel(),
                               device_data<float>(value),
                               device_data<float>(grad),
                               device_data<float>(exp_avg),
                               device_data<float>(exp_avg_sq),
                               nullptr};
    on_device_of(value, "adamw", [&](void* stream) { return launch(constants, buffers, stream); });
    return;
  }
#endif
  // The library divides by grad_scale; its step count is that of this update.
  const at::TensorOptions scalar = value.options().dtype(at::kFloat);
  const at::Tensor step = at::full({}, update.step, scalar), scale = at::full({}, 1 / update.grad_factor, scalar);
  at::_fused_adamw_({value}, {grad}, {exp_avg}, {exp_avg_sq}, {}, {step}, update.lr, update.beta1, update.beta2,
                    update.weight_decay, update.epsilon, false, false, scale);
  grad.zero_();
}

}  // namespace st::cuda
