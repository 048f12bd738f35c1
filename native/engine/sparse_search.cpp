#include "engine/sparse_search.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "core/parallel.h"
#include "engine/best.h"

namespace st {

namespace {

constexpr int64_t kBlock = 16384;  // documents whose sums stay in the cache: 128 KB
constexpr int64_t kGrain = 4096;   // documents of a thread at least

enum class Metric { kCosine, kDot, kEuclidean, kManhattan };

Metric parse_metric(const std::string& name) {
  if (name == "cosine") return Metric::kCosine;
  if (name == "dot") return Metric::kDot;
  if (name == "euclidean") return Metric::kEuclidean;
  if (name == "manhattan") return Metric::kManhattan;
  fail("ERR_INVALID_ARGUMENT", "Expected cosine, dot, euclidean or manhattan for metric but received ", name);
}

// A row of zeros stays zero.
double unit(double squares) {
  return std::max(std::sqrt(squares), 1e-12);
}

// A query's column: its postings that are still to be read, and its number.
struct Column {
  int32_t next, end;
  double value;
};

// Searches a range of the documents. What two rows do not share is known from their sums, so only postings are read.
class RangeSearch {
 public:
  RangeSearch(const Postings& postings, Metric metric, int64_t begin, int64_t end)
      : postings_(postings), metric_(metric), begin_(begin), end_(end), sums_(kBlock), scores_(kBlock) {}

  void search(const SparseRows& queries, int64_t q, Best& best) {
    double squares = 0, magnitude = 0;
    columns_.clear();
    for (int32_t i = queries.offsets[q]; i < queries.offsets[q + 1]; ++i) {
      const double value = queries.values[i];
      squares += value * value;
      magnitude += std::abs(value);
      const int32_t *offsets = postings_.offsets + queries.indices[i], *documents = postings_.documents;
      const int32_t* first =
          std::lower_bound(documents + offsets[0], documents + offsets[1], static_cast<int32_t>(begin_));
      columns_.push_back({static_cast<int32_t>(first - documents), offsets[1], value});
    }
    for (int64_t first = begin_; first < end_; first += kBlock) {
      const int64_t size = std::min(kBlock, end_ - first);
      std::fill_n(sums_.begin(), size, 0.0);
      for (Column& column : columns_) add(column, first, size);
      score(first, size, squares, magnitude);
      best.offer(scores_.data(), first, size);
    }
  }

 private:
  // Adds what a column says of the documents of a block.
  void add(Column& column, int64_t first, int64_t size) {
    const double x = column.value;
    const auto each = [&](const auto& product) {
      int32_t i = column.next;
      for (; i < column.end; ++i) {
        // Also false for a number that is no document, so that nothing outside of the block is written.
        const uint64_t place = static_cast<uint64_t>(postings_.documents[i] - first);
        if (place >= static_cast<uint64_t>(size)) break;
        sums_[place] += product(static_cast<double>(postings_.values[i]));
      }
      column.next = i;
    };
    if (metric_ != Metric::kManhattan) {
      each([x](double y) { return x * y; });
    } else {
      each([x](double y) { return std::abs(x - y) - std::abs(x) - std::abs(y); });
    }
  }

  void score(int64_t first, int64_t size, double squares, double magnitude) {
    const double *other = postings_.squares + first, *others = postings_.magnitudes + first;
    const double length = unit(squares);
    for (int64_t i = 0; i < size; ++i) {
      double score = sums_[i];
      if (metric_ == Metric::kCosine) score = score == 0 ? 0 : score / (length * unit(other[i]));
      // |x - y|^2 = |x|^2 + |y|^2 - 2 x * y. Rounding may leave less than 0.
      if (metric_ == Metric::kEuclidean) score = -std::sqrt(std::max(0.0, squares + other[i] - 2 * score));
      if (metric_ == Metric::kManhattan) score = -std::max(0.0, magnitude + others[i] + score);
      scores_[i] = static_cast<float>(score);
    }
  }

  const Postings& postings_;
  Metric metric_;
  int64_t begin_, end_;
  std::vector<double> sums_;
  std::vector<float> scores_;
  std::vector<Column> columns_;
};

}  // namespace

void check_offsets(const int32_t* offsets, int64_t rows, int64_t count, const char* name) {
  check(offsets[0] == 0 && offsets[rows] == count, "ERR_INVALID_ARGUMENT", "Expected the offsets of ", name,
        " from 0 to ", count, " but received ", offsets[0], " to ", offsets[rows]);
  for (int64_t r = 0; r < rows; ++r) {
    check(offsets[r] <= offsets[r + 1], "ERR_INVALID_ARGUMENT", "Expected rising offsets for ", name, " but received ",
          offsets[r], " before ", offsets[r + 1]);
  }
}

void check_sparse(const SparseRows& rows, int64_t count, const char* name) {
  check_offsets(rows.offsets, rows.rows, count, name);
  for (int64_t r = 0; r < rows.rows; ++r) {
    int64_t last = -1;
    for (int32_t i = rows.offsets[r]; i < rows.offsets[r + 1]; ++i) {
      const int64_t column = rows.indices[i];
      check(column > last && column < rows.columns, "ERR_INVALID_ARGUMENT", "Expected ascending indices below ",
            rows.columns, " in row ", r, " of ", name, " but received ", column, " after ", last);
      check(std::isfinite(rows.values[i]), "ERR_INVALID_DATA", "Expected finite numbers in row ", r, " of ", name,
            " but found NaN or an infinity");
      last = column;
    }
  }
}

void invert(const SparseRows& rows, const Postings& out) {
  std::fill_n(out.offsets, out.columns + 1, 0);
  const int32_t count = rows.offsets[rows.rows];
  for (int32_t i = 0; i < count; ++i) ++out.offsets[rows.indices[i] + 1];
  for (int64_t c = 0; c < out.columns; ++c) out.offsets[c + 1] += out.offsets[c];
  std::vector<int32_t> next(out.offsets, out.offsets + out.columns);
  for (int64_t r = 0; r < rows.rows; ++r) {
    double squares = 0, magnitude = 0;
    for (int32_t i = rows.offsets[r]; i < rows.offsets[r + 1]; ++i) {
      const int32_t to = next[rows.indices[i]]++;
      const double value = rows.values[i];
      out.documents[to] = static_cast<int32_t>(r);
      out.values[to] = rows.values[i];
      squares += value * value;
      magnitude += std::abs(value);
    }
    out.squares[r] = squares;
    out.magnitudes[r] = magnitude;
  }
}

void sparse_top_k(const SparseRows& queries, const Postings& postings, int64_t k, const std::string& metric,
                  float* scores, int32_t* indices) {
  const Metric compared_by = parse_metric(metric);
  const int64_t count = postings.rows;
  check(k >= 0 && k <= count, "ERR_INVALID_ARGUMENT", "Expected k from 0 to ", count, " but received ", k);
  check(queries.columns == postings.columns, "ERR_INVALID_ARGUMENT", "Expected queries of ", postings.columns,
        " columns but received ", queries.columns);
  if (k == 0 || queries.rows == 0) return;
  const int64_t parts = parallel_parts(count, kGrain);
  std::vector<std::vector<Best>> best(parts, std::vector<Best>(queries.rows, Best(k)));
  parallel_ranges(count, parts, [&](int64_t part, int64_t begin, int64_t end) {
    RangeSearch range(postings, compared_by, begin, end);
    for (int64_t q = 0; q < queries.rows; ++q) range.search(queries, q, best[part][q]);
  });
  for (int64_t q = 0; q < queries.rows; ++q) {
    Best all(k);
    for (int64_t part = 0; part < parts; ++part) {
      for (const Hit& hit : best[part][q].sorted()) all.offer(hit);
    }
    const std::vector<Hit>& hits = all.sorted();
    for (int64_t i = 0; i < k; ++i) {
      scores[q * k + i] = hits[i].score;
      indices[q * k + i] = hits[i].index;
    }
  }
}

}  // namespace st
