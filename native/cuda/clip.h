#pragma once

#include <cmath>

#include "cuda/host_device.h"

namespace st::cuda {

// The decisions that depend on the norm of all gradients, by one thread: see ClipState of ops/device_update.h.
struct Clip {
  const double* squares;
  double max_norm;  // 0 = no clipping
  double *norm, *updates, *skips;
  float *divisor, *skipped, *advanced;
};

ST_HD void clip_all(const Clip& k) {
  const double norm = sqrt(*k.squares);
  const bool finite = norm - norm == 0;
  *k.norm = norm;
  *(finite ? k.updates : k.skips) += 1;
  // As torch.nn.utils.clip_grad_norm_.
  const double divisor = k.max_norm > 0 ? (norm + 1e-6) / k.max_norm : 1;
  *k.divisor = finite && divisor > 1 ? static_cast<float>(divisor) : 1.0f;
  *k.skipped = finite ? 0.0f : 1.0f;
  *k.advanced = finite ? 1.0f : 0.0f;
}

}  // namespace st::cuda
