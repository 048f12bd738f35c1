#include "engine/vector_scores.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "core/error.h"
#include "core/yield.h"

namespace st {

namespace {

constexpr int64_t kRowsAtOnce = 256;  // a query of another model may run between them

at::Tensor tensor_of(const GivenVectors& given, int64_t dim) {
  return at::from_blob(given.data, {given.size / dim, dim}, at::kFloat);
}

}  // namespace

void check_given(const GivenVectors& given, int64_t dim, const char* what) {
  const std::vector<int32_t>& offsets = given.offsets;
  check(given.size % dim == 0, "ERR_INVALID_ARGUMENT", "Expected a multiple of dim = ", dim, " values for ", what,
        " but received ", given.size);
  check(!offsets.empty() && offsets.front() == 0 && offsets.back() == given.size / dim &&
            std::is_sorted(offsets.begin(), offsets.end()),
        "ERR_INVALID_ARGUMENT", "Expected offsets of ", what, " that rise from 0 to ", given.size / dim);
}

void score_vectors(const GivenVectors& queries, const GivenVectors& documents, int64_t dim, const MaxSim& options,
                   bool by_row, float* scores) {
  const at::NoGradGuard no_grad;
  const TokenVectors q{tensor_of(queries, dim), queries.offsets}, d{tensor_of(documents, dim), documents.offsets};
  const int64_t rows = q.rows(), count = d.rows();
  if (rows == 0 || count == 0) return;
  const int64_t step = options.top_k > 0 && by_row ? rows : kRowsAtOnce;
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t end = std::min(rows, begin + step);
    const TokenVectors part = q.slice(begin, end);
    const at::Tensor found = by_row ? max_sim_rows(part, d.slice(begin, end), options) : max_sim(part, d, options);
    at::from_blob(scores + begin * (by_row ? 1 : count), found.sizes(), at::kFloat).copy_(found);
    yield_here();
  }
}

void pool_vectors(const GivenVectors& given, int64_t dim, const TokenPooling& options, float* out, int32_t* counts) {
  const at::NoGradGuard no_grad;
  const std::vector<bool> all(given.offsets.size() - 1, true);
  const PooledRows pooled = pool_tokens(tensor_of(given, dim), given.offsets, options, all);
  at::from_blob(out, pooled.x_TD.sizes(), at::kFloat).copy_(pooled.x_TD);
  for (size_t row = 0; row < all.size(); ++row) counts[row] = pooled.offsets[row + 1] - pooled.offsets[row];
}

}  // namespace st
