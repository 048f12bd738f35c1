#include "engine/code_search.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "engine/best.h"
#include "ops/cpu/code_scores.h"

namespace st {

namespace {

constexpr int64_t kRows = 2048;  // that are compared with every query while they are in the cache

// scores(query, first, count, out): the scores of some rows, which grow with their nearness. Each thread keeps the best
// of its rows, so that the result does not depend on the number of threads.
template <typename Scores>
void nearest(int64_t query_count, int64_t count, int64_t k, int32_t* indices, const Scores& scores) {
  check(k >= 0 && k <= count, "ERR_INVALID_ARGUMENT", "Expected k from 0 to ", count, " but received ", k);
  constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();
  check(count <= kMostRows, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostRows, " rows of codes but received ",
        count);
  if (k == 0 || query_count == 0) return;
  const int64_t parts = parallel_parts(count, kRows);
  std::vector<std::vector<Best>> best(parts, std::vector<Best>(query_count, Best(k)));
  parallel_ranges(count, parts, [&](int64_t part, int64_t begin, int64_t end) {
    std::vector<float> values(kRows);
    for (int64_t first = begin; first < end; first += kRows) {
      const int64_t size = std::min(kRows, end - first);
      for (int64_t q = 0; q < query_count; ++q) {
        scores(q, first, size, values.data());
        best[part][q].offer(values.data(), first, size);
      }
    }
  });
  for (int64_t q = 0; q < query_count; ++q) {
    Best all(k);
    for (int64_t part = 0; part < parts; ++part) {
      for (const Hit& hit : best[part][q].sorted()) all.offer(hit);
    }
    const std::vector<Hit>& hits = all.sorted();
    for (int64_t i = 0; i < k; ++i) indices[q * k + i] = hits[i].index;
  }
}

}  // namespace

void nearest_bits(const uint8_t* queries, int64_t query_count, const uint8_t* codes, int64_t count, int64_t width,
                  int64_t k, int32_t* indices) {
  // Below 2^24 bits a number of bits is a float exactly.
  check(width > 0 && width % 8 == 0 && width <= (1 << 20), "ERR_INVALID_ARGUMENT",
        "Expected a multiple of 8 from 8 to 1048576 for width but received ", width);
  const int64_t words = width / 8;
  const auto* asked = reinterpret_cast<const uint64_t*>(queries);
  const auto* there = reinterpret_cast<const uint64_t*>(codes);
  nearest(query_count, count, k, indices, [&](int64_t q, int64_t first, int64_t size, float* out) {
    int32_t bits[kRows];
    kernels::code_scores().different_bits(words, asked + q * words, size, there + first * words, bits);
    for (int64_t i = 0; i < size; ++i) out[i] = -static_cast<float>(bits[i]);
  });
}

void nearest_bytes(const float* queries, int64_t query_count, const int8_t* codes, const float* factors, int64_t count,
                   int64_t dim, int64_t k, int32_t* indices) {
  nearest(query_count, count, k, indices, [&](int64_t q, int64_t first, int64_t size, float* out) {
    kernels::code_scores().byte_products(dim, queries + q * dim, size, codes + first * dim, out);
    for (int64_t i = 0; i < size; ++i) out[i] *= factors[first + i];
  });
}

}  // namespace st
