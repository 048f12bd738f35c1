#include "engine/search.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cdist.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/similarity.h"

namespace st {

namespace {

constexpr int64_t kQueries = 256, kCorpus = 16384;  // scores at a time: 16 MB

struct Hit {
  float score;
  int32_t index;
};

bool better(const Hit& a, const Hit& b) {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

at::Tensor score_matrix(const std::string& metric, const at::Tensor& queries, const at::Tensor& corpus) {
  if (metric == "cosine" || metric == "dot") return at::matmul(queries, corpus.t());
  return -at::cdist(queries, corpus, metric == "euclidean" ? 2 : 1);
}

}  // namespace

void top_k(const float* queries, int64_t query_count, const float* corpus, int64_t corpus_count, int64_t dim, int64_t k,
           const std::string& metric, float* scores, int32_t* indices) {
  check(metric == "cosine" || metric == "dot" || metric == "euclidean" || metric == "manhattan", "ERR_INVALID_ARGUMENT",
        "Expected cosine, dot, euclidean or manhattan for metric but received ", metric);
  check(k >= 0 && k <= corpus_count, "ERR_INVALID_ARGUMENT", "Expected k from 0 to ", corpus_count, " but received ",
        k);
  if (k == 0 || query_count == 0) return;
  const at::NoGradGuard no_grad;
  const auto rows = [&](const float* from, int64_t first, int64_t count) {
    at::Tensor out = at::from_blob(const_cast<float*>(from + first * dim), {count, dim}, at::kFloat);
    return metric == "cosine" ? normalize_rows(out) : out;
  };
  // The corpus outside: each part of it is read and normalised once for all queries.
  std::vector<std::vector<Hit>> best(query_count);  // heaps whose top is the worst hit kept
  for (int64_t c = 0; c < corpus_count; c += kCorpus) {
    const int64_t width = std::min(kCorpus, corpus_count - c);
    const at::Tensor part = rows(corpus, c, width);
    for (int64_t q = 0; q < query_count; q += kQueries) {
      const int64_t count = std::min(kQueries, query_count - q);
      const at::Tensor matrix = score_matrix(metric, rows(queries, q, count), part).contiguous();
      const float* values = matrix.data_ptr<float>();
      parallel_ranges(count, parallel_parts(count, 1), [&](int64_t, int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          std::vector<Hit>& heap = best[q + row];
          heap.reserve(k);
          for (int64_t i = 0; i < width; ++i) {
            const Hit hit{values[row * width + i], static_cast<int32_t>(c + i)};
            if (static_cast<int64_t>(heap.size()) < k) {
              heap.push_back(hit);
              std::push_heap(heap.begin(), heap.end(), better);
            } else if (better(hit, heap.front())) {
              std::pop_heap(heap.begin(), heap.end(), better);
              heap.back() = hit;
              std::push_heap(heap.begin(), heap.end(), better);
            }
          }
        }
      });
    }
  }
  parallel_ranges(query_count, parallel_parts(query_count, 1), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      std::sort_heap(best[row].begin(), best[row].end(), better);
      for (int64_t i = 0; i < k; ++i) {
        scores[row * k + i] = best[row][i].score;
        indices[row * k + i] = best[row][i].index;
      }
    }
  });
}

}  // namespace st
