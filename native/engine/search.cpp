#include "engine/search.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/cdist.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/pow.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/cpu/pair_sums.h"

// An element of a matrix product depends on its place: rows at the edge of a block are summed up in another order. So
// products only say which rows may be among the best, with the error that they can have; scores come from the two rows.
namespace st {

namespace {

constexpr int64_t kQueries = 256, kCorpus = 16384;  // products at a time: 16 MB
// So few queries get the scores of all rows: a product would cost more. Rows at a time stay in the cache.
constexpr int64_t kFew = 4, kFewCorpus = 2048;
// Products that are looked at before the worst of the best is asked for again.
constexpr int64_t kLook = 256;

enum class Metric { kCosine, kDot, kEuclidean, kManhattan };

Metric parse_metric(const std::string& name) {
  if (name == "cosine") return Metric::kCosine;
  if (name == "dot") return Metric::kDot;
  if (name == "euclidean") return Metric::kEuclidean;
  if (name == "manhattan") return Metric::kManhattan;
  fail("ERR_INVALID_ARGUMENT", "Expected cosine, dot, euclidean or manhattan for metric but received ", name);
}

struct Hit {
  float score;
  int32_t index;
};

bool better(const Hit& a, const Hit& b) {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

// The best k: a heap whose top is the worst of them.
class Best {
 public:
  void reserve(int64_t k) {
    k_ = k;
    heap_.reserve(k);
  }
  bool is_full() const { return static_cast<int64_t>(heap_.size()) == k_; }
  float worst() const { return heap_.front().score; }
  void offer(const Hit& hit) {
    if (!is_full()) {
      heap_.push_back(hit);
      std::push_heap(heap_.begin(), heap_.end(), better);
    } else if (better(hit, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), better);
      heap_.back() = hit;
      std::push_heap(heap_.begin(), heap_.end(), better);
    }
  }
  const std::vector<Hit>& sorted() {
    std::sort_heap(heap_.begin(), heap_.end(), better);
    return heap_;
  }

 private:
  int64_t k_ = 0;
  std::vector<Hit> heap_;
};

// Rows of a matrix and their lengths.
struct Rows {
  const float* data;
  int64_t dim;
  std::vector<double> norms;
  double longest = 0;

  const float* row(int64_t i) const { return data + i * dim; }
};

// @throws ERR_INVALID_DATA naming a row that holds NaN or an infinity: it would have no place in any order.
Rows rows_of(const float* data, int64_t first, int64_t count, int64_t dim, const char* name) {
  Rows rows{data + first * dim, dim, std::vector<double>(count)};
  parallel_ranges(count, parallel_parts(count, 64), [&](int64_t, int64_t begin, int64_t end) {
    kernels::pair_sums().squares(dim, end - begin, rows.row(begin), rows.norms.data() + begin);
    for (int64_t i = begin; i < end; ++i) rows.norms[i] = std::sqrt(rows.norms[i]);
  });
  for (int64_t i = 0; i < count; ++i) {
    // In double precision no square of a float is too large.
    check(std::isfinite(rows.norms[i]), "ERR_INVALID_DATA", "Expected finite numbers in row ", first + i, " of ", name,
          " but found NaN or an infinity");
    rows.longest = std::max(rows.longest, rows.norms[i]);
  }
  return rows;
}

// A row of zeros stays one.
double unit(double norm) {
  return std::max(norm, 1e-12);
}

class Search {
 public:
  Search(Metric metric, int64_t dim) : metric_(metric), dim_(dim) {
    // A sum of n products is wrong by n / 2^24 of the sum of their sizes at most, in whatever order; twice that, and
    // some more for the rounding of what goes in and comes out.
    error_ = static_cast<double>(dim + 8) * 0x1p-23;
  }

  // The scores of query `q` with rows of the corpus.
  void scores(const Rows& queries, int64_t q, const Rows& corpus, int64_t count, const int64_t* numbers,
              float* out) const {
    const float* rows[kLook];
    double sums[kLook];
    for (int64_t i = 0; i < count; ++i) rows[i] = corpus.row(numbers[i]);
    const kernels::PairSums& kernel = kernels::pair_sums();
    switch (metric_) {
      case Metric::kCosine:
      case Metric::kDot:
        kernel.products(dim_, queries.row(q), count, rows, sums);
        break;
      case Metric::kEuclidean:
        kernel.squared_differences(dim_, queries.row(q), count, rows, sums);
        break;
      case Metric::kManhattan:
        kernel.differences(dim_, queries.row(q), count, rows, sums);
        break;
    }
    for (int64_t i = 0; i < count; ++i) {
      if (metric_ == Metric::kCosine) sums[i] /= unit(queries.norms[q]) * unit(corpus.norms[numbers[i]]);
      if (metric_ == Metric::kEuclidean) sums[i] = -std::sqrt(sums[i]);
      if (metric_ == Metric::kManhattan) sums[i] = -sums[i];
      out[i] = static_cast<float>(sums[i]);
    }
  }

  // What products take of a part of the corpus.
  at::Tensor prepared(const Rows& rows) const {
    const auto count = static_cast<int64_t>(rows.norms.size());
    if (metric_ != Metric::kCosine) return at::from_blob(const_cast<float*>(rows.data), {count, dim_}, at::kFloat);
    at::Tensor out = at::empty({count, dim_}, at::kFloat);
    auto* to = out.data_ptr<float>();
    parallel_ranges(count, parallel_parts(count, 64), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        kernels::pair_sums().scale(dim_, 1 / unit(rows.norms[i]), rows.row(i), to + i * dim_);
      }
    });
    return out;
  }

  // Numbers that rise with the score: [queries, rows]. lowest() says from which on a row may be among the best.
  at::Tensor products(const at::Tensor& queries, const at::Tensor& part, const Rows& corpus) const {
    if (metric_ == Metric::kManhattan) return at::neg(at::cdist(queries, part, 1));
    if (metric_ != Metric::kEuclidean) return at::matmul(queries, part.t());
    // (|x|^2 - |x - y|^2) / 2 = x * y - |y|^2 / 2
    const at::Tensor norms = at::from_blob(const_cast<double*>(corpus.norms.data()), {part.size(0)}, at::kDouble);
    return at::addmm(at::mul(at::pow(norms, 2), -0.5).to(at::kFloat), queries, part.t());
  }

  // Whatever product is lower belongs to a score that is lower than `worst`.
  float lowest(float worst, double norm, double longest) const {
    constexpr double kMost = 1e37;                             // products of floats might be infinite from here on
    const double underflow = 0x1p-120 * (1 + norm + longest);  // what is lost of sums of tiny numbers
    const double w = worst;
    double bound = 0;
    switch (metric_) {
      case Metric::kCosine:
        bound = w - error_ * 1.5;
        break;
      case Metric::kDot:
        bound = w - error_ * (norm * longest + std::abs(w)) - underflow;
        break;
      case Metric::kEuclidean:
        bound = (norm * norm - w * w * (1 + 0x1p-20)) / 2 - error_ * longest * (norm + longest) - underflow;
        break;
      case Metric::kManhattan:
        bound = w * (1 + 2 * error_) - underflow;
        break;
    }
    if (!(longest * (norm + longest) < kMost) || !(std::abs(bound) < kMost)) return -kInfinity;
    return std::nextafter(static_cast<float>(bound), -kInfinity);
  }

  // Offers the rows of a part of the corpus, which begins at row `first`, that may be among the best of query `q`.
  void offer(const Rows& queries, int64_t q, const Rows& corpus, int64_t first, const float* products,
             Best& best) const {
    const auto width = static_cast<int64_t>(corpus.norms.size());
    int64_t numbers[kLook];
    float found[kLook];
    for (int64_t begin = 0; begin < width; begin += kLook) {
      const int64_t end = std::min(begin + kLook, width);
      const float least = best.is_full() ? lowest(best.worst(), queries.norms[q], corpus.longest) : -kInfinity;
      if (!any_from(products + begin, end - begin, least)) continue;
      int64_t count = 0;
      for (int64_t i = begin; i < end; ++i) {
        // Also NaN, which a product of large numbers may be.
        if (!(products[i] < least)) numbers[count++] = i;
      }
      scores(queries, q, corpus, count, numbers, found);
      for (int64_t i = 0; i < count; ++i) best.offer({found[i], static_cast<int32_t>(first + numbers[i])});
    }
  }

  // Offers all rows of a part of the corpus; threads share the rows.
  void offer_all(const Rows& queries, int64_t q, const Rows& corpus, int64_t first, Best& best) const {
    const auto width = static_cast<int64_t>(corpus.norms.size());
    std::vector<float> found(width);
    parallel_ranges(width, parallel_parts(width, kLook), [&](int64_t, int64_t begin, int64_t end) {
      int64_t numbers[kLook];
      for (int64_t from = begin; from < end; from += kLook) {
        const int64_t count = std::min(kLook, end - from);
        std::iota(numbers, numbers + count, from);
        scores(queries, q, corpus, count, numbers, found.data() + from);
      }
    });
    for (int64_t i = 0; i < width; ++i) best.offer({found[i], static_cast<int32_t>(first + i)});
  }

 private:
  static constexpr float kInfinity = std::numeric_limits<float>::infinity();

  static bool any_from(const float* products, int64_t count, float least) {
    int found = 0;
#pragma omp simd reduction(| : found)
    for (int64_t i = 0; i < count; ++i) found |= !(products[i] < least);
    return found != 0;
  }

  Metric metric_;
  int64_t dim_;
  double error_;
};

}  // namespace

void top_k(const float* queries, int64_t query_count, const float* corpus, int64_t corpus_count, int64_t dim, int64_t k,
           const std::string& metric, float* scores, int32_t* indices) {
  const Search search(parse_metric(metric), dim);
  check(k >= 0 && k <= corpus_count, "ERR_INVALID_ARGUMENT", "Expected k from 0 to ", corpus_count, " but received ",
        k);
  if (k == 0 || query_count == 0) return;
  const at::NoGradGuard no_grad;
  std::vector<Best> best(query_count);
  for (Best& each : best) each.reserve(k);
  const bool few = query_count <= kFew;
  const int64_t step = few ? kFewCorpus : kCorpus;
  // The corpus outside: each part of it is read once for all queries.
  for (int64_t c = 0; c < corpus_count; c += step) {
    const Rows part = rows_of(corpus, c, std::min(step, corpus_count - c), dim, "the corpus");
    const at::Tensor prepared = few ? at::Tensor() : search.prepared(part);
    for (int64_t q = 0; q < query_count; q += kQueries) {
      const int64_t count = std::min(kQueries, query_count - q);
      const Rows block = rows_of(queries, q, count, dim, "the queries");
      if (few) {
        for (int64_t i = 0; i < count; ++i) search.offer_all(block, i, part, c, best[q + i]);
        continue;
      }
      const at::Tensor products = search.products(search.prepared(block), prepared, part).contiguous();
      parallel_ranges(count, parallel_parts(count, 1), [&](int64_t, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          search.offer(block, i, part, c, products.const_data_ptr<float>() + i * products.size(1), best[q + i]);
        }
      });
    }
  }
  parallel_ranges(query_count, parallel_parts(query_count, 1), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const std::vector<Hit>& hits = best[row].sorted();
      for (int64_t i = 0; i < k; ++i) {
        scores[row * k + i] = hits[i].score;
        indices[row * k + i] = hits[i].index;
      }
    }
  });
}

}  // namespace st
