#pragma once

#include <cmath>

#include "cuda/host_device.h"

namespace st::cuda {

// torch.optim.AdamW on flat float32 buffers, the bf16 copy of the weights and the zeroing of the gradient in one pass.
struct AdamWStep {
  float lr, weight_decay, beta2, epsilon;
  float rest1, rest2;                   // 1 - beta1, 1 - beta2, rounded once
  float correction1, correction2_sqrt;  // 1 - beta1^t, sqrt(1 - beta2^t)
  float grad_factor;
  const float* squared_norm;  // of the gradient, on the device; null: grad_factor is all
  float max_norm;
};

struct AdamWBuffers {
  int64_t count;
  float *value, *grad, *exp_avg, *exp_avg_sq;
  Bf16* copy;  // null where the weights are computed with as they are
};

// As torch.nn.utils.clip_grad_norm_; 0 where the gradient is not finite: that step is skipped.
ST_HD float clip_factor(const AdamWStep& k) {
  if (k.squared_norm == nullptr) return k.grad_factor;
  const float norm = sqrtf(*k.squared_norm) * k.grad_factor;
  if (!(norm < INFINITY)) return 0;
  return k.grad_factor * (k.max_norm > 0 ? fminf(1.0f, k.max_norm / (norm + 1e-6f)) : 1.0f);
}

ST_HD void adamw_element(const AdamWStep& k, float factor, const AdamWBuffers& b, int64_t i) {
  if (factor > 0) {
    const float g = b.grad[i] * factor;
    const float m = b.exp_avg[i] + k.rest1 * (g - b.exp_avg[i]);
    const float v = k.beta2 * b.exp_avg_sq[i] + k.rest2 * g * g;
    b.exp_avg[i] = m;
    b.exp_avg_sq[i] = v;
    const float value = (1 - k.lr * k.weight_decay) * b.value[i] -
                        k.lr / k.correction1 * m / (sqrtf(v) / k.correction2_sqrt + k.epsilon);
    b.value[i] = value;
    if (b.copy != nullptr) store(b.copy[i], value);
  }
  b.grad[i] = 0;
}

}  // namespace st::cuda
