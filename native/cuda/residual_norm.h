#pragma once

#include <cmath>

#include "cuda/dropout.h"

namespace st::cuda {

// The arithmetic of ops/residual_norm.h for one token. `Columns`: how many a lane keeps, at least width / lanes.

template <typename S>
struct ResidualNorm {
  int64_t tokens, width;
  float epsilon;
  DropoutSite dropout;
  const int32_t *rows_T, *positions_T;
  const float *bias_D, *gamma_D, *beta_D;
  const S* residual_TD;
  S* sum_TD;  // in: output of the linear layer; out: what is normalised
  S* out_TD;
  float *mean_T, *rstd_T;  // null where no backward follows
};

template <int Columns, typename S, typename Group>
ST_HD void residual_norm_token(const ResidualNorm<S>& k, const Group& group, int64_t t) {
  const int64_t row = t * k.width;
  TokenDropout dropout(k.dropout, k.rows_T[t], k.positions_T[t]);
  float x[Columns];
  float sum = 0;
  ST_UNROLL
  for (int i = 0; i < Columns; ++i) {
    const int64_t c = group.lane() + int64_t{i} * group.lanes();
    if (c >= k.width) break;
    x[i] = (load(k.sum_TD[row + c]) + k.bias_D[c]) * dropout.multiplier(static_cast<uint32_t>(c)) +
           load(k.residual_TD[row + c]);
    store(k.sum_TD[row + c], x[i]);
    sum += x[i];
  }
  const float mean = group.sum(sum) / static_cast<float>(k.width);
  float squares = 0;
  ST_UNROLL
  for (int i = 0; i < Columns; ++i) {
    if (group.lane() + int64_t{i} * group.lanes() >= k.width) break;
    squares += (x[i] - mean) * (x[i] - mean);
  }
  const float rstd = 1 / sqrtf(group.sum(squares) / static_cast<float>(k.width) + k.epsilon);
  ST_UNROLL
  for (int i = 0; i < Columns; ++i) {
    const int64_t c = group.lane() + int64_t{i} * group.lanes();
    if (c >= k.width) break;
    store(k.out_TD[row + c], (x[i] - mean) * rstd * k.gamma_D[c] + k.beta_D[c]);
  }
  if (k.mean_T != nullptr && group.lane() == 0) {
    k.mean_T[t] = mean;
    k.rstd_T[t] = rstd;
  }
}

template <typename S>
struct ResidualNormBackward {
  int64_t tokens, width;
  DropoutSite dropout;
  const int32_t *rows_T, *positions_T;
  const float* gamma_D;
  const S *d_out_TD, *sum_TD;
  const float *mean_T, *rstd_T;
  S *d_residual_TD, *d_linear_TD;  // d_residual may be d_out
};

// Sums over tokens of a lane's columns.
template <int Columns>
struct NormSums {
  float gamma[Columns] = {}, beta[Columns] = {}, bias[Columns] = {};
};

template <int Columns, typename S, typename Group>
ST_HD void residual_norm_backward_token(const ResidualNormBackward<S>& k, const Group& group, int64_t t,
                                        NormSums<Columns>& sums) {
  const int64_t row = t * k.width;
  const float mean = k.mean_T[t], rstd = k.rstd_T[t];
  float d[Columns], normal[Columns];
  float sum_g = 0, sum_gn = 0;
  ST_UNROLL
  for (int i = 0; i < Columns; ++i) {
    const int64_t c = group.lane() + int64_t{i} * group.lanes();
    if (c >= k.width) break;
    d[i] = load(k.d_out_TD[row + c]);
    normal[i] = (load(k.sum_TD[row + c]) - mean) * rstd;
    sums.gamma[i] += d[i] * normal[i];
    sums.beta[i] += d[i];
    d[i] *= k.gamma_D[c];
    sum_g += d[i];
    sum_gn += d[i] * normal[i];
  }
  const float mean_g = group.sum(sum_g) / static_cast<float>(k.width);
  const float mean_gn = group.sum(sum_gn) / static_cast<float>(k.width);
  TokenDropout dropout(k.dropout, k.rows_T[t], k.positions_T[t]);
  ST_UNROLL
  for (int i = 0; i < Columns; ++i) {
    const int64_t c = group.lane() + int64_t{i} * group.lanes();
    if (c >= k.width) break;
    const float d_sum = rstd * (d[i] - mean_g - normal[i] * mean_gn);
    const float d_linear = d_sum * dropout.multiplier(static_cast<uint32_t>(c));
    sums.bias[i] += d_linear;
    store(k.d_residual_TD[row + c], d_sum);
    store(k.d_linear_TD[row + c], d_linear);
  }
}

}  // namespace st::cuda
