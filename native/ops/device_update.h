#pragma once

#include <ATen/core/Tensor.h>

// An update of parameters with numbers that stay on the device. The host reads none of them, and queued work contains
// nothing that changes from update to update. So it can be recorded and repeated. Defined in cuda/. It also runs on
// the CPU, where tests compare it.
namespace st::cuda {

// An update's numbers: 0-dim float32 tensors.
struct UpdateScalars {
  at::Tensor step;     // the number of this update, from 1; if it is skipped, that of the previous one
  at::Tensor divisor;  // of the gradients; undefined = 1
  at::Tensor skipped;  // 1: only zeroes the gradients; else 0
};

// The results of the norm of all gradients: 0-dim tensors that live as long as the trainer.
struct ClipState {
  at::Tensor norm, updates, skips;        // float64: the norm, and the counts of updates made and skipped
  at::Tensor divisor, skipped, advanced;  // float32; advanced = 1 - skipped
};
// As torch.nn.utils.clip_grad_norm_. The update is skipped if the norm is not finite. `squares`: float64, 0-dim.
void clip(const at::Tensor& squares, double max_norm, const ClipState& state);

struct AdamWConstants {
  double weight_decay, beta1, beta2, epsilon;
};
// One range of flat float32 or float64 buffers.
struct AdamWTensors {
  at::Tensor value, grad, exp_avg, exp_avg_sq;
  at::Tensor copy;  // of the values in another dtype; undefined where there is none
};
// `rate`: 0-dim float32. Zeroes the gradient and renews the copy. Uses LibTorch's fused AdamW, or the own kernel if
// use_kernels().
void adamw(const AdamWConstants& constants, const at::Tensor& rate, const UpdateScalars& scalars,
           const AdamWTensors& tensors);

}  // namespace st::cuda
