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
#include <functional>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "engine/best.h"
#include "ops/cpu/pair_sums.h"

// An element of a matrix product depends on its place, because rows at the edge of a block are summed in another
// order. So products, with a bound of their error, only select rows that may be among the best. Scores are computed
// from the two rows.
namespace st {

namespace {

constexpr int64_t kQueries = 256, kCorpus = 16384;  // products at a time: 16 MB
constexpr int64_t kFew = 8;     // with so few queries all rows are scored, because products would cost more
constexpr int64_t kLook = 256;  // products, or rows, that are checked together
constexpr float kInfinity = std::numeric_limits<float>::infinity();

enum class Metric { kCosine, kDot, kEuclidean, kManhattan };

Metric parse_metric(const std::string& name) {
  if (name == "cosine") return Metric::kCosine;
  if (name == "dot") return Metric::kDot;
  if (name == "euclidean") return Metric::kEuclidean;
  if (name == "manhattan") return Metric::kManhattan;
  fail("ERR_INVALID_ARGUMENT", "Expected cosine, dot, euclidean or manhattan for metric but received ", name);
}

// The rows of a matrix, and the lengths of those that were measured.
struct Rows {
  const float* data;
  int64_t dim;
  std::vector<double> norms;
  double longest = 0;

  Rows(const float* data, int64_t count, int64_t dim) : data(data), dim(dim), norms(count) {}

  const float* row(int64_t i) const { return data + i * dim; }
  void measure(int64_t first, int64_t count) {
    kernels::pair_sums().squares(dim, count, row(first), norms.data() + first);
    for (int64_t i = first; i < first + count; ++i) norms[i] = std::sqrt(norms[i]);
  }
  // Throws ERR_INVALID_DATA for a row that holds NaN or an infinity, because it cannot be ranked.
  void check_finite(int64_t first, int64_t count, const char* name) {
    for (int64_t i = first; i < first + count; ++i) {
      // In double precision the square of a float cannot overflow.
      check(std::isfinite(norms[i]), "ERR_INVALID_DATA", "Expected finite numbers in row ", i, " of ", name,
            " but found NaN or an infinity");
      longest = std::max(longest, norms[i]);
    }
  }
};

// A row of zeros stays zero.
double unit(double norm) {
  return std::max(norm, 1e-12);
}

class Search {
 public:
  Search(Metric metric, const Rows& queries, const Rows& corpus)
      : metric_(metric), queries_(queries), corpus_(corpus), dim_(corpus.dim) {
    // The error of a sum of n products, in any order, is at most n / 2^24 of the sum of their sizes. Twice that, and
    // a little more for the rounding of inputs and outputs.
    error_ = static_cast<double>(dim_ + 8) * 0x1p-23;
  }

  // Some rows in the form that products need.
  at::Tensor prepared(const Rows& rows, int64_t first, int64_t count) const {
    if (metric_ != Metric::kCosine) {
      return at::from_blob(const_cast<float*>(rows.row(first)), {count, dim_}, at::kFloat);
    }
    at::Tensor out = at::empty({count, dim_}, at::kFloat);
    auto* to = out.data_ptr<float>();
    parallel_ranges(count, parallel_parts(count, 64), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        kernels::pair_sums().scale(dim_, 1 / unit(rows.norms[first + i]), rows.row(first + i), to + i * dim_);
      }
    });
    return out;
  }

  // Numbers that grow with the score, for a part of the corpus that begins at `first`: [queries, rows].
  at::Tensor products(const at::Tensor& queries, const at::Tensor& part, int64_t first) const {
    if (metric_ == Metric::kManhattan) return at::neg(at::cdist(queries, part, 1));
    if (metric_ != Metric::kEuclidean) return at::matmul(queries, part.t());
    // (|x|^2 - |x - y|^2) / 2 = x * y - |y|^2 / 2
    const at::Tensor norms =
        at::from_blob(const_cast<double*>(corpus_.norms.data() + first), {part.size(0)}, at::kDouble);
    return at::addmm(at::mul(at::pow(norms, 2), -0.5).to(at::kFloat), queries, part.t());
  }

  // Reads the products of query `q` with `count` rows that start at `first`.
  void look(int64_t q, int64_t first, int64_t count, const float* products, Best& best) const {
    const Margin margin = this->margin(q);
    if (margin.error == kInfinity) {
      std::vector<float> all(count);
      scores_from(q, first, count, all.data());
      best.offer(all.data(), first, count);
      return;
    }
    for (int64_t begin = 0; begin < count; begin += kLook) {
      const int64_t end = std::min(begin + kLook, count);
      const float least = margin.below(best.sure());
      if (!any_from(products + begin, end - begin, least)) continue;
      for (int64_t i = begin; i < end; ++i) {
        if (products[i] >= least) best.note({products[i], static_cast<int32_t>(first + i)});
      }
      if (!best.is_long()) continue;
      best.prune(margin);
      // Many almost equal rows are scored now, so that the list stays short.
      if (best.is_long()) offer_candidates(q, best);
    }
  }

  // Scores the remaining candidates at the end.
  void finish(int64_t q, Best& best) const {
    best.prune(margin(q));
    offer_candidates(q, best);
  }

  // The scores of query `q` with `count` rows of the corpus that start at `first`.
  void scores_from(int64_t q, int64_t first, int64_t count, float* out) const {
    int32_t numbers[kLook];
    for (int64_t from = 0; from < count; from += kLook) {
      const int64_t size = std::min(kLook, count - from);
      std::iota(numbers, numbers + size, static_cast<int32_t>(first + from));
      scores(q, size, numbers, out + from);
    }
  }

 private:
  // The margin of a query's products with the measured rows.
  Margin margin(int64_t q) const {
    constexpr float kUnderflow = 0x1p-110f;  // more than sums of tiny numbers can lose
    if (metric_ == Metric::kManhattan) return {static_cast<float>(1 + 2 * error_), kUnderflow};
    if (metric_ == Metric::kCosine) return {1, static_cast<float>(2 * error_)};
    const double norm = queries_.norms[q], longest = corpus_.longest;
    // An upper bound of the products, and of the rounding of a score to float: equal scores are ordered by index.
    const double most = metric_ == Metric::kDot ? norm * longest : (norm + longest) * (norm + longest);
    // Beyond this bound, products of floats might be infinite.
    if (!(most < 1e37)) return {1, kInfinity};
    return {1, static_cast<float>(2 * error_ * most) + kUnderflow * static_cast<float>(1 + norm + longest)};
  }

  static bool any_from(const float* products, int64_t count, float least) {
    int found = 0;
#pragma omp simd reduction(| : found)
    for (int64_t i = 0; i < count; ++i) found |= products[i] >= least;
    return found != 0;
  }

  void offer_candidates(int64_t q, Best& best) const {
    const std::vector<Candidate>& candidates = best.candidates();
    int32_t numbers[kLook];
    float values[kLook];
    for (size_t from = 0; from < candidates.size(); from += kLook) {
      const auto size = static_cast<int64_t>(std::min<size_t>(kLook, candidates.size() - from));
      for (int64_t i = 0; i < size; ++i) numbers[i] = candidates[from + i].index;
      scores(q, size, numbers, values);
      for (int64_t i = 0; i < size; ++i) best.offer({values[i], numbers[i]});
    }
    best.clear();
  }

  // The scores of query `q` with up to kLook rows of the corpus.
  void scores(int64_t q, int64_t count, const int32_t* numbers, float* out) const {
    const float* rows[kLook];
    double sums[kLook];
    for (int64_t i = 0; i < count; ++i) rows[i] = corpus_.row(numbers[i]);
    const kernels::PairSums& kernel = kernels::pair_sums();
    const auto sum = metric_ == Metric::kEuclidean   ? kernel.squared_differences
                     : metric_ == Metric::kManhattan ? kernel.differences
                                                     : kernel.products;
    sum(dim_, queries_.row(q), count, rows, sums);
    for (int64_t i = 0; i < count; ++i) {
      if (metric_ == Metric::kCosine) sums[i] /= unit(queries_.norms[q]) * unit(corpus_.norms[numbers[i]]);
      if (metric_ == Metric::kEuclidean) sums[i] = -std::sqrt(sums[i]);
      if (metric_ == Metric::kManhattan) sums[i] = -sums[i];
      out[i] = static_cast<float>(sums[i]);
    }
  }

  Metric metric_;
  const Rows& queries_;
  const Rows& corpus_;
  int64_t dim_;
  double error_;
};

}  // namespace

void top_k(const float* queries, int64_t query_count, const float* corpus, int64_t corpus_count, int64_t dim, int64_t k,
           const std::string& metric, float* scores, int32_t* indices) {
  const Metric compared_by = parse_metric(metric);
  check(k >= 0 && k <= corpus_count, "ERR_INVALID_ARGUMENT", "Expected k from 0 to ", corpus_count, " but received ",
        k);
  // Row numbers have 32 bits.
  constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();
  check(corpus_count <= kMostRows, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostRows,
        " rows in the corpus but received ", corpus_count);
  if (k == 0 || query_count == 0) return;
  const at::NoGradGuard no_grad;
  Rows asked(queries, query_count, dim), there(corpus, corpus_count, dim);
  asked.measure(0, query_count);
  asked.check_finite(0, query_count, "the queries");
  const Search search(compared_by, asked, there);
  std::vector<Best> best(query_count, Best(k));
  std::vector<float> few_scores(query_count <= kFew ? query_count * kCorpus : 0);
  // The corpus is the outer loop, so that each part is read once for all queries.
  for (int64_t c = 0; c < corpus_count; c += kCorpus) {
    const int64_t width = std::min(kCorpus, corpus_count - c);
    parallel_ranges(width, parallel_parts(width, kLook), [&](int64_t, int64_t begin, int64_t end) {
      for (int64_t from = begin; from < end; from += kLook) {
        const int64_t size = std::min(kLook, end - from);
        there.measure(c + from, size);
        // While the rows are in the cache.
        for (int64_t q = 0; q < query_count && query_count <= kFew; ++q) {
          search.scores_from(q, c + from, size, few_scores.data() + q * kCorpus + from);
        }
      }
    });
    there.check_finite(c, width, "the corpus");
    if (query_count <= kFew) {
      for (int64_t q = 0; q < query_count; ++q) best[q].offer(few_scores.data() + q * kCorpus, c, width);
      continue;
    }
    const at::Tensor part = search.prepared(there, c, width);
    for (int64_t q = 0; q < query_count; q += kQueries) {
      const int64_t count = std::min(kQueries, query_count - q);
      const at::Tensor products = search.products(search.prepared(asked, q, count), part, c).contiguous();
      const float* values = products.data_ptr<float>();
      parallel_ranges(count, parallel_parts(count, 1), [&](int64_t, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) search.look(q + i, c, width, values + i * width, best[q + i]);
      });
    }
  }
  parallel_ranges(query_count, parallel_parts(query_count, 1), [&](int64_t, int64_t begin, int64_t end) {
    for (int64_t q = begin; q < end; ++q) {
      search.finish(q, best[q]);
      const std::vector<Hit>& hits = best[q].sorted();
      for (int64_t i = 0; i < k; ++i) {
        scores[q * k + i] = hits[i].score;
        indices[q * k + i] = hits[i].index;
      }
    }
  });
}

}  // namespace st
