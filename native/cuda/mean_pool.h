#pragma once

#include <cmath>

#include "cuda/host_device.h"

namespace st::cuda {

// Mean of the tokens [first, end) of each row, divided by its length where `normalize`: ops/pooling.h (mean) and
// normalize_rows of ops/similarity.h in one pass. float32.
struct MeanPool {
  int64_t rows, width;
  const int32_t *first_R, *end_R;
  bool normalize;
  const float* x_TD;
  float* out_RD;
  float* norm_R;  // of the mean, at least kSmallestNorm
};

constexpr float kSmallestNorm = 1e-12f;

template <int Columns, typename Group>
ST_HD void mean_pool_row(const MeanPool& k, const Group& group, int64_t row) {
  const int64_t first = k.first_R[row], end = k.end_R[row];
  const float weight = 1 / static_cast<float>(end - first);
  float x[Columns], squares = 0;
  ST_UNROLL
  for (int i = 0; i < Columns; ++i) {
    const int64_t c = group.lane() + int64_t{i} * group.lanes();
    if (c >= k.width) break;
    float sum = 0;
    for (int64_t t = first; t < end; ++t) sum += k.x_TD[t * k.width + c];
    x[i] = sum * weight;
    squares += x[i] * x[i];
  }
  const float norm = fmaxf(sqrtf(group.sum(squares)), kSmallestNorm);
  const float factor = k.normalize ? 1 / norm : 1;
  ST_UNROLL
  for (int i = 0; i < Columns; ++i) {
    const int64_t c = group.lane() + int64_t{i} * group.lanes();
    if (c >= k.width) break;
    k.out_RD[row * k.width + c] = x[i] * factor;
  }
  if (group.lane() == 0) k.norm_R[row] = norm;
}

struct MeanPoolBackward {
  int64_t rows, width;
  const int32_t *first_R, *end_R;
  bool normalize;
  const float *d_out_RD, *out_RD, *norm_R;
  float* d_x_TD;  // only the pooled tokens are written
};

template <typename Group>
ST_HD void mean_pool_backward_row(const MeanPoolBackward& k, const Group& group, int64_t row) {
  const int64_t first = k.first_R[row], end = k.end_R[row];
  float dot = 0;
  if (k.normalize && k.norm_R[row] > kSmallestNorm) {
    for (int64_t c = group.lane(); c < k.width; c += group.lanes()) {
      dot += k.d_out_RD[row * k.width + c] * k.out_RD[row * k.width + c];
    }
  }
  dot = group.sum(dot);
  const float factor = (k.normalize ? 1 / k.norm_R[row] : 1) / static_cast<float>(end - first);
  for (int64_t c = group.lane(); c < k.width; c += group.lanes()) {
    const int64_t i = row * k.width + c;
    const float d = factor * (k.d_out_RD[i] - dot * k.out_RD[i]);
    for (int64_t t = first; t < end; ++t) k.d_x_TD[t * k.width + c] = d;
  }
}

}  // namespace st::cuda
