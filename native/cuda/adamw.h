#pragma once

#include <cmath>

#include "cuda/host_device.h"

namespace st::cuda {

// torch.optim.AdamW on flat float32 buffers, the bf16 copy of the weights and the zeroing of the gradient in one pass.
struct AdamWStep {
  float weight_decay, beta2, epsilon;
  float rest1, rest2;          // 1 - beta1, 1 - beta2, rounded once
  float log_beta1, log_beta2;  // natural logarithms
  // In the device's memory, so that the same launch does the next update with new numbers: learning rate, number of
  // the update, divisor of the gradient (null: none), and whether the update is skipped.
  const float *rate, *step, *divisor, *skipped;
};

struct AdamWBuffers {
  int64_t count;
  float *value, *grad, *exp_avg, *exp_avg_sq;
  Bf16* copy;  // null if the weights are used without a copy
};

// Numbers that all elements of an update share.
struct AdamWNow {
  bool skipped;
  float factor;               // of the gradient
  float keep, step_size;      // 1 - lr * weight decay, lr / (1 - beta1^t)
  float inverse_correction2;  // 1 / sqrt(1 - beta2^t)
};

ST_HD AdamWNow adamw_now(const AdamWStep& k) {
  const float rate = *k.rate, step = *k.step;
  // 1 - beta^t without the loss of digits where beta^t is near 1.
  const float correction1 = -expm1f(step * k.log_beta1), correction2 = -expm1f(step * k.log_beta2);
  return {*k.skipped != 0, k.divisor == nullptr ? 1.0f : 1.0f / *k.divisor, 1 - rate * k.weight_decay,
          rate / correction1, 1.0f / sqrtf(correction2)};
}

ST_HD void adamw_element(const AdamWStep& k, const AdamWNow& now, const AdamWBuffers& b, int64_t i) {
  if (!now.skipped) {
    const float g = b.grad[i] * now.factor;
    const float m = b.exp_avg[i] + k.rest1 * (g - b.exp_avg[i]);
    const float v = k.beta2 * b.exp_avg_sq[i] + k.rest2 * g * g;
    b.exp_avg[i] = m;
    b.exp_avg_sq[i] = v;
    const float value = now.keep * b.value[i] - now.step_size * m / (sqrtf(v) * now.inverse_correction2 + k.epsilon);
    b.value[i] = value;
    if (b.copy != nullptr) store(b.copy[i], value);
  }
  b.grad[i] = 0;
}

}  // namespace st::cuda
