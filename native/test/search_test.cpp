// Exact search against brute force.
#include "engine/search.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "support.h"

namespace st::test {

namespace {

constexpr const char* kInvalid = "ERR_INVALID_ARGUMENT";

struct Found {
  std::vector<float> scores;
  std::vector<int32_t> indices;
};

Found search(const at::Tensor& queries, const at::Tensor& corpus, int64_t k, const std::string& metric) {
  const int64_t count = queries.size(0);
  Found out{std::vector<float>(count * k), std::vector<int32_t>(count * k)};
  top_k(queries.data_ptr<float>(), count, corpus.data_ptr<float>(), corpus.size(0), corpus.size(1), k, metric,
        out.scores.data(), out.indices.data());
  return out;
}

double score(const std::string& metric, const float* a, const float* b, int64_t dim) {
  double dot = 0, aa = 0, bb = 0, l1 = 0, l2 = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const double x = a[i], y = b[i];
    dot += x * y;
    aa += x * x;
    bb += y * y;
    l1 += std::abs(x - y);
    l2 += (x - y) * (x - y);
  }
  if (metric == "dot") return dot;
  if (metric == "cosine") return dot / std::sqrt(aa * bb);
  return metric == "manhattan" ? -l1 : -std::sqrt(l2);
}

std::vector<double> scores_of(const at::Tensor& queries, const at::Tensor& corpus, int64_t query,
                              const std::string& metric) {
  std::vector<double> out(corpus.size(0));
  const int64_t dim = corpus.size(1);
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = score(metric, queries.data_ptr<float>() + query * dim, corpus.data_ptr<float>() + i * dim, dim);
  }
  return out;
}

const std::vector<std::string> kMetrics = {"cosine", "dot", "euclidean", "manhattan"};

TEST(TopK, RandomVectorsAgainstBruteForce) {
  const at::Tensor queries = random_tensor({260, 8}, at::kFloat, 1),
                   corpus = random_tensor({17000, 8}, at::kFloat, 2);  // two chunks of each
  for (const std::string& metric : kMetrics) {
    const Found found = search(queries, corpus, 10, metric);
    for (int64_t query : {0, 1, 255, 256, 259}) {
      const std::vector<double> scores = scores_of(queries, corpus, query, metric);
      std::vector<double> sorted = scores;
      std::partial_sort(sorted.begin(), sorted.begin() + 10, sorted.end(), std::greater<>());
      for (int64_t i = 0; i < 10; ++i) {
        const int32_t index = found.indices[query * 10 + i];
        EXPECT_FLOAT_EQ(found.scores[query * 10 + i], static_cast<float>(sorted[i])) << metric << " " << query;
        EXPECT_FLOAT_EQ(static_cast<float>(scores[index]), static_cast<float>(sorted[i])) << metric << " " << query;
      }
    }
  }
}

// Coordinates of +1 and -1 make every score exact, also of four-dimensional cosines, and most of them equal.
TEST(TopK, EqualScoresComeInTheOrderOfTheirIndex) {
  const auto signs = [](int64_t count, uint64_t seed) {
    return at::Tensor((random_tensor({count, 4}, at::kFloat, seed) > 0).to(at::kFloat) * 2 - 1).contiguous();
  };
  const at::Tensor queries = signs(9, 1), corpus = signs(16500, 2), small = signs(40, 3);
  for (const std::string& metric : kMetrics) {
    for (const auto& [from, k] : {std::pair<at::Tensor, int64_t>{corpus, 1200}, {small, 40}, {small, 1}, {small, 7}}) {
      const Found found = search(queries, from, k, metric);
      for (int64_t query = 0; query < queries.size(0); ++query) {
        const std::vector<double> scores = scores_of(queries, from, query, metric);
        std::vector<int32_t> order(scores.size());
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
        order.resize(k);
        const auto* begin = found.indices.data() + query * k;
        ASSERT_EQ(std::vector<int32_t>(begin, begin + k), order) << metric << ", k " << k << ", query " << query;
      }
    }
  }
}

// A matrix product sums up the rows at the edge of a block in another order.
TEST(TopK, EqualRowsHaveEqualScoresWhereverTheyLie) {
  for (const int64_t dim : {1, 7, 30, 384}) {
    const at::Tensor row = random_tensor({1, dim}, at::kFloat, 1);
    for (const int64_t count : {2, 7, 17, 33, 100, 16390}) {
      const at::Tensor corpus = row.repeat({count, 1}).contiguous();
      for (const int64_t query_count : {1, 5, 33}) {
        if (count > 100 && dim != 30) continue;
        const at::Tensor queries = random_tensor({query_count, dim}, at::kFloat, 2);
        for (const std::string& metric : kMetrics) {
          const Found found = search(queries, corpus, count, metric);
          for (int64_t query = 0; query < query_count; ++query) {
            const float* scores = found.scores.data() + query * count;
            const auto other = std::find_if(scores, scores + count, [&](float score) { return score != *scores; });
            ASSERT_EQ(other, scores + count) << metric << " " << dim << " " << count << " " << query_count;
            for (int64_t i = 0; i < count; ++i) ASSERT_EQ(found.indices[query * count + i], i);
          }
        }
      }
    }
  }
}

// Products of these lose the digits that tell the rows apart, are infinite, or vanish; and scores that differ less than
// a float can say are equal.
TEST(TopK, FindsTheBestWhereProductsAreUseless) {
  const auto rows = [](double scale, double offset, uint64_t seed) {
    return at::Tensor(random_tensor({300, 12}, at::kFloat, seed) * scale + offset).contiguous();
  };
  const std::vector<std::pair<at::Tensor, at::Tensor>> cases = {{rows(1e-3, 100, 1), rows(1e-3, 100, 2)},
                                                                {rows(1e37, 0, 1), rows(1e37, 0, 2)},
                                                                {rows(1e-30, 0, 1), rows(1e-9, 0, 2)},
                                                                {rows(1e3, 0, 1), rows(1e-3, 0, 2)}};
  for (size_t which = 0; which < cases.size(); ++which) {
    const auto& [queries, corpus] = cases[which];
    for (const std::string& metric : kMetrics) {
      if (metric == "cosine" && which == 2) continue;  // a length below 1e-12 counts as 1e-12
      for (const int64_t count : {2, 300}) {
        const Found found = search(queries.narrow(0, 0, count).contiguous(), corpus, 7, metric);
        for (int64_t query = 0; query < count; ++query) {
          const std::vector<double> scores = scores_of(queries, corpus, query, metric);
          std::vector<int32_t> order(scores.size());
          std::iota(order.begin(), order.end(), 0);
          std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
            return static_cast<float>(scores[a]) > static_cast<float>(scores[b]);
          });
          order.resize(7);
          const auto* begin = found.indices.data() + query * 7;
          EXPECT_EQ(std::vector<int32_t>(begin, begin + 7), order) << metric << " " << which << ", query " << query;
        }
      }
    }
  }
}

TEST(TopK, RefusesRowsThatAreNotFinite) {
  const at::Tensor good = random_tensor({20, 5}, at::kFloat, 1);
  for (const float value : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    at::Tensor bad = good.clone();
    bad.data_ptr<float>()[17 * 5 + 4] = value;
    for (const std::string& metric : kMetrics) {
      for (const int64_t count : {1, 20}) {
        expect_error("ERR_INVALID_DATA", "finite numbers in row 17 of the corpus",
                     [&] { search(good.narrow(0, 0, count), bad, 1, metric); });
      }
      expect_error("ERR_INVALID_DATA", "finite numbers in row 17 of the queries",
                   [&] { search(bad, good, 1, metric); });
    }
  }
}

TEST(TopK, DoesNotDependOnTheNumberOfThreads) {
  const at::Tensor queries = random_tensor({33, 8}, at::kFloat, 1), corpus = random_tensor({500, 8}, at::kFloat, 2);
  const Found two = search(queries, corpus, 5, "cosine");
  const Threads set(1);
  EXPECT_EQ(search(queries, corpus, 5, "cosine").indices, two.indices);
}

TEST(TopK, EdgesAndErrors) {
  const at::Tensor queries = random_tensor({2, 3}, at::kFloat, 1), corpus = random_tensor({4, 3}, at::kFloat, 2);
  EXPECT_NO_THROW(search(queries, corpus, 0, "dot"));
  EXPECT_NO_THROW(search(queries.narrow(0, 0, 0), corpus, 2, "dot"));
  EXPECT_EQ(search(at::Tensor(queries * 0), corpus, 1, "cosine").scores, (std::vector<float>{0, 0}));  // not NaN
  expect_error(kInvalid, "Expected k from 0 to 4 but received 5", [&] { search(queries, corpus, 5, "dot"); });
  expect_error(kInvalid, "Expected k from 0 to 4 but received -1", [&] {
    top_k(queries.data_ptr<float>(), 2, corpus.data_ptr<float>(), 4, 3, -1, "dot", nullptr, nullptr);
  });
  expect_error(kInvalid, "euclidean or manhattan for metric but received l2",
               [&] { search(queries, corpus, 1, "l2"); });
}

}  // namespace

}  // namespace st::test
