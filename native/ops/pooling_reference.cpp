#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_add.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "ops/pooled_tokens.h"

namespace st::reference {

namespace {

using PooledRows = std::vector<PooledTokens>;

at::Tensor vector_of(const std::vector<int64_t>& values, at::Device device) {
  at::Tensor out = at::empty({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.data_ptr<int64_t>());
  return out.to(device);
}

at::Tensor select(const at::Tensor& x_TD, const PooledRows& rows, bool first) {
  std::vector<int64_t> tokens;
  for (const PooledTokens& row : rows) tokens.push_back(first ? row.first : row.end - 1);
  return x_TD.index_select(0, vector_of(tokens, x_TD.device()));
}

at::Tensor highest(const at::Tensor& x_TD, const PooledRows& rows) {
  std::vector<at::Tensor> out;
  for (const PooledTokens& row : rows) out.push_back(std::get<0>(x_TD.slice(0, row.first, row.end).max(0)));
  return at::stack(out);
}

at::Tensor weighted_sum(const at::Tensor& x_TD, const PooledRows& rows, PoolingMode mode) {
  std::vector<int64_t> row_of(x_TD.size(0));
  at::Tensor weights_T1 = at::zeros({x_TD.size(0), 1}, at::kDouble);
  double* weights = weights_T1.data_ptr<double>();
  for (size_t row = 0; row < rows.size(); ++row) {
    for (int64_t t = rows[row].start; t < rows[row].end; ++t) {
      row_of[t] = static_cast<int64_t>(row);
      if (t >= rows[row].first) weights[t] = pooling_weight(mode, rows[row], t);
    }
  }
  const at::Tensor zeros = at::zeros({static_cast<int64_t>(rows.size()), x_TD.size(1)}, x_TD.options());
  return zeros.index_add(0, vector_of(row_of, x_TD.device()), x_TD * weights_T1.to(x_TD.options()));
}

}  // namespace

at::Tensor pool(const at::Tensor& x_TD, const Rows& batch, const std::vector<std::string>& modes, bool include_prompt) {
  const PooledRows rows = pooled_tokens(batch, include_prompt);
  std::vector<at::Tensor> parts;
  for (const std::string& name : modes) {
    const PoolingMode mode = parse_pooling_mode(name);
    if (mode == PoolingMode::kCls || mode == PoolingMode::kLastToken) {
      parts.push_back(select(x_TD, rows, mode == PoolingMode::kCls));
    } else if (mode == PoolingMode::kMax) {
      parts.push_back(highest(x_TD, rows));
    } else {
      parts.push_back(weighted_sum(x_TD, rows, mode));
    }
  }
  return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
}

}  // namespace st::reference
