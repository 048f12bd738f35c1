#include "engine/vector_scores.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "core/error.h"
#include "core/yield.h"

namespace st {

namespace {

constexpr int64_t kRowsAtOnce = 256;  // a query of another model may run between them

// Of codes their numbers.
at::Tensor tensor_of(const GivenVectors& given, int64_t dim) {
  if (!given.codes) return at::from_blob(given.data, {given.size / dim, dim}, at::kFloat);
  at::Tensor x_TD = at::empty({given.offsets.back(), dim}, at::kFloat);
  decode(*given.codes, 0, x_TD.size(0), x_TD.data_ptr<float>());
  return x_TD;
}

}  // namespace

void check_given(const GivenVectors& given, int64_t dim, const char* what) {
  const std::vector<int32_t>& offsets = given.offsets;
  const int64_t width = given.codes ? bytes_of(given.codes->code, dim) : dim;
  check(given.size % width == 0, "ERR_INVALID_ARGUMENT", "Expected a multiple of ", width, " values for ", what,
        " but received ", given.size);
  check(!offsets.empty() && offsets.front() == 0 && offsets.back() == given.size / width &&
            std::is_sorted(offsets.begin(), offsets.end()),
        "ERR_INVALID_ARGUMENT", "Expected offsets of ", what, " that rise from 0 to ", given.size / width);
}

void score_vectors(const GivenVectors& queries, const GivenVectors& documents, int64_t dim, const MaxSim& options,
                   bool by_row, float* scores) {
  const at::NoGradGuard no_grad;
  const bool decodes = by_row || !documents.codes;
  const TokenVectors q{tensor_of(queries, dim), queries.offsets};
  const TokenVectors d{decodes ? tensor_of(documents, dim) : at::Tensor(), documents.offsets};
  const int64_t rows = q.rows(), count = d.rows();
  if (rows == 0 || count == 0) return;
  const int64_t step = options.top_k > 0 && by_row ? rows : kRowsAtOnce;
  for (int64_t begin = 0; begin < rows; begin += step) {
    const int64_t end = std::min(rows, begin + step);
    const TokenVectors part = q.slice(begin, end);
    const at::Tensor found = by_row    ? max_sim_rows(part, d.slice(begin, end), options)
                             : decodes ? max_sim(part, d, options)
                                       : max_sim(part, *documents.codes, documents.offsets, options);
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
