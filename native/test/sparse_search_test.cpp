// The inverted index against a comparison of every two rows.
#include "engine/sparse_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "support.h"

namespace st::test {

namespace {

struct Matrix {
  explicit Matrix(int64_t columns) : columns(columns) {}

  int64_t columns;
  std::vector<int32_t> offsets{0}, indices;
  std::vector<float> values;

  int64_t rows() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t count() const { return static_cast<int64_t>(values.size()); }
  SparseRows view() const { return {rows(), columns, offsets.data(), indices.data(), values.data()}; }
  std::vector<double> dense(int64_t row) const {
    std::vector<double> out(columns);
    for (int32_t i = offsets[row]; i < offsets[row + 1]; ++i) out[indices[i]] = values[i];
    return out;
  }
};

// Small whole numbers, so that many scores are equal. Some rows are empty.
Matrix random_rows(int64_t rows, int64_t columns, unsigned seed) {
  std::mt19937 random(seed);
  Matrix out(columns);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns && r % 7 != 3; ++c) {
      if (random() % 5 != 0) continue;
      out.indices.push_back(static_cast<int32_t>(c));
      out.values.push_back(static_cast<float>(static_cast<int>(random() % 7) - 2));
    }
    out.offsets.push_back(static_cast<int32_t>(out.indices.size()));
  }
  return out;
}

struct Inverted {
  std::vector<int32_t> offsets, documents;
  std::vector<float> values;
  std::vector<double> squares, magnitudes;
  int64_t columns;

  explicit Inverted(const Matrix& rows)
      : offsets(rows.columns + 1),
        documents(rows.count()),
        values(rows.count()),
        squares(rows.rows()),
        magnitudes(rows.rows()),
        columns(rows.columns) {
    invert(rows.view(), view());
  }
  Postings view() {
    return {static_cast<int64_t>(squares.size()),
            columns,
            offsets.data(),
            documents.data(),
            values.data(),
            squares.data(),
            magnitudes.data()};
  }
};

double compare(const std::string& metric, const std::vector<double>& a, const std::vector<double>& b) {
  double products = 0, left = 0, right = 0, squares = 0, sizes = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    products += a[i] * b[i];
    left += a[i] * a[i];
    right += b[i] * b[i];
    squares += (a[i] - b[i]) * (a[i] - b[i]);
    sizes += std::abs(a[i] - b[i]);
  }
  if (metric == "dot") return products;
  if (metric == "cosine") return products / (std::max(std::sqrt(left), 1e-12) * std::max(std::sqrt(right), 1e-12));
  return metric == "euclidean" ? -std::sqrt(squares) : -sizes;
}

TEST(SparseTopK, RandomRowsWithManyTiesAgainstBruteForce) {
  // More documents than a block, so that lists are continued.
  const Matrix corpus = random_rows(20000, 23, 1), queries = random_rows(5, 23, 2);
  Inverted inverted(corpus);
  for (const char* metric : {"dot", "cosine", "euclidean", "manhattan"}) {
    for (const int64_t k : {int64_t{1}, int64_t{50}, corpus.rows()}) {
      std::vector<float> scores(queries.rows() * k);
      std::vector<int32_t> found(scores.size());
      sparse_top_k(queries.view(), inverted.view(), k, metric, scores.data(), found.data());
      for (int64_t q = 0; q < queries.rows(); ++q) {
        std::vector<float> all(corpus.rows());
        for (int64_t d = 0; d < corpus.rows(); ++d) {
          all[d] = static_cast<float>(compare(metric, queries.dense(q), corpus.dense(d)));
        }
        std::vector<int32_t> order(corpus.rows());
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return all[a] > all[b]; });
        EXPECT_TRUE(std::equal(order.begin(), order.begin() + k, found.begin() + q * k)) << metric << ", " << k;
        for (int64_t i = 0; i < k; ++i) ASSERT_EQ(scores[q * k + i], all[order[i]]) << metric;
      }
    }
  }
}

TEST(SparseTopK, EqualRowsHaveNoDistance) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  Matrix rows = random_rows(50, 40, 4);
  for (float& value : rows.values) value = normal(random);
  Inverted inverted(rows);
  for (const char* metric : {"euclidean", "manhattan"}) {
    std::vector<float> scores(rows.rows());
    std::vector<int32_t> found(rows.rows());
    sparse_top_k(rows.view(), inverted.view(), 1, metric, scores.data(), found.data());
    for (int64_t r = 0; r < rows.rows(); ++r) EXPECT_NEAR(scores[r], 0, 1e-6) << metric << " " << r;
  }
}

TEST(SparseTopK, RefusesRowsThatDoNotFit) {
  const Matrix good = random_rows(9, 10, 5);
  const auto refused = [](const Matrix& rows, const char* code, const char* message) {
    expect_error(code, message, [&] { check_sparse(rows.view(), rows.count(), "the rows"); });
  };
  Matrix wide = good;
  wide.indices[good.count() - 1] = 10;
  refused(wide, "ERR_INVALID_ARGUMENT", "ascending indices below 10 in row 8 of the rows but received 10");
  Matrix twice = good;
  twice.indices[1] = twice.indices[0];
  refused(twice, "ERR_INVALID_ARGUMENT", "ascending indices");
  Matrix infinite = good;
  infinite.values[0] = std::numeric_limits<float>::infinity();
  refused(infinite, "ERR_INVALID_DATA", "finite numbers in row 0");
  Matrix falling = good;
  falling.offsets[1] = falling.offsets[2] + 1;
  refused(falling, "ERR_INVALID_ARGUMENT", "rising offsets");
  Inverted inverted(good);
  float score = 0;
  int32_t index = 0;
  expect_error("ERR_INVALID_ARGUMENT", "k from 0 to 9",
               [&] { sparse_top_k(good.view(), inverted.view(), 10, "dot", &score, &index); });
  expect_error("ERR_INVALID_ARGUMENT", "cosine, dot",
               [&] { sparse_top_k(good.view(), inverted.view(), 1, "hamming", &score, &index); });
}

}  // namespace

}  // namespace st::test
