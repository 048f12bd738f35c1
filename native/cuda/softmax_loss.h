#pragma once

#include <cmath>

#include "cuda/host_device.h"

namespace st::cuda {

// Softmax cross-entropy of one row of scaled similarities, whose right column is first_target + row, with its gradient:
// loss = log sum exp(scale s) - scale s[target]; d_s = scale (softmax - one) * weight. float32. d_scores may be scores.
struct SoftmaxLoss {
  int64_t rows, columns, first_target;
  float scale, weight;
  const float* scores_RN;
  float* loss_R;
  float* d_scores_RN;
};

template <typename Group>
ST_HD void softmax_loss_row(const SoftmaxLoss& k, const Group& group, int64_t row) {
  const float* s = k.scores_RN + row * k.columns;
  const int64_t target = k.first_target + row;
  float highest = -INFINITY;
  for (int64_t c = group.lane(); c < k.columns; c += group.lanes()) highest = fmaxf(highest, s[c]);
  highest = group.highest(highest);
  float sum = 0;
  for (int64_t c = group.lane(); c < k.columns; c += group.lanes()) sum += expf(k.scale * (s[c] - highest));
  sum = group.sum(sum);
  // Read before any lane writes over it.
  const float right = s[target];
  const float loss = logf(sum) + k.scale * (highest - right);
  const float factor = k.scale * k.weight;
  group.sync();
  for (int64_t c = group.lane(); c < k.columns; c += group.lanes()) {
    const float p = expf(k.scale * (s[c] - highest)) / sum;
    k.d_scores_RN[row * k.columns + c] = factor * (p - (c == target ? 1.0f : 0.0f));
  }
  if (group.lane() == 0) k.loss_R[row] = loss;
}

}  // namespace st::cuda
