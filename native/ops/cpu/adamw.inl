#pragma once

#include "ops/cpu/simd.inl"

template <typename A>
static void adamw(const AdamW<A>& k, int64_t count, A* value, A* grad, A* exp_avg, A* exp_avg_sq) {
  const A step_size = k.lr / k.correction1, keep = A(1) - k.lr * k.weight_decay;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const A g = grad[i] * k.grad_factor;
    const A m = exp_avg[i] + k.rest1 * (g - exp_avg[i]);
    const A v = k.beta2 * exp_avg_sq[i] + k.rest2 * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    value[i] = keep * value[i] - step_size * m / (root(v) / k.correction2_sqrt + k.epsilon);
    grad[i] = A(0);
  }
}
