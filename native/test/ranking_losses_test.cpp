// MultipleNegativesRankingLoss: what its options change, against terms written out pair by pair.
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <limits>

#include "losses/loss.h"
#include "losses/scores.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

LossValue ranking(Config::Object options, const at::Tensor& embeddings_CBD, const at::Tensor& text_ids_CB = {}) {
  options["type"] = text("MultipleNegativesRankingLoss");
  Layout layout;
  const std::unique_ptr<Loss> loss = make_loss(options, embeddings_CBD.size(2), LossLayout{layout});
  const std::vector<at::Tensor> none;
  const LossInput input{.embeddings_CBD = embeddings_CBD, .labels = {}, .parameters = none, .text_ids_CB = text_ids_CB};
  loss->check_batch(input);
  return loss->forward(input);
}

double total(const Config::Object& options, const at::Tensor& embeddings_CBD, const at::Tensor& text_ids_CB = {}) {
  return ranking(options, embeddings_CBD, text_ids_CB).total.item<double>();
}

double masked_share(const LossValue& value) {
  for (const auto& [name, tensor] : value.logged) {
    if (name == "masked_share") return tensor.item<double>();
  }
  return std::numeric_limits<double>::quiet_NaN();
}

double cosine(const at::Tensor& a_D, const at::Tensor& b_D) {
  return cosine_pairs(a_D.unsqueeze(0), b_D.unsqueeze(0)).item<double>();
}

constexpr int64_t kRows = 4, kWidth = 5;

// The mean over rows of -log(exp(positive) / sum of exp over the candidates that `kept` names): query_to_doc alone.
double written_out(const at::Tensor& embeddings_CBD, double scale,
                   const std::function<bool(int64_t row, int64_t column, int64_t other)>& kept,
                   const std::function<double(int64_t row, int64_t column, int64_t other, double score)>& extra = {}) {
  double sum = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    double z = 0;
    for (int64_t column = 1; column < embeddings_CBD.size(0); ++column) {
      for (int64_t j = 0; j < kRows; ++j) {
        const double score = cosine(embeddings_CBD[0][i], embeddings_CBD[column][j]);
        if (kept(i, column, j)) z += std::exp(scale * score + (extra ? extra(i, column, j, score) : 0));
      }
    }
    sum += std::log(z) - scale * cosine(embeddings_CBD[0][i], embeddings_CBD[1][i]);
  }
  return sum / kRows;
}

TEST(RankingLosses, HardnessWeighsTheNegativesOfItsMode) {
  const at::Tensor x = random_tensor({4, kRows, kWidth}, at::kDouble, 1);
  const auto all = [](int64_t, int64_t, int64_t) { return true; };
  const auto expected = [&](const std::function<bool(int64_t, int64_t, int64_t)>& weighed) {
    return written_out(x, 5, all, [&](int64_t i, int64_t column, int64_t j, double score) {
      return weighed(i, column, j) ? 3 * score : 0;
    });
  };
  const auto actual = [&](const char* mode, double strength) {
    return total({{"scale", 5.0}, {"hardnessMode", text(mode)}, {"hardnessStrength", strength}}, x);
  };
  EXPECT_NEAR(actual("in_batch_negatives", 3), expected([](int64_t i, int64_t, int64_t j) { return i != j; }), 1e-12);
  EXPECT_NEAR(actual("hard_negatives", 3), expected([](int64_t i, int64_t c, int64_t j) { return i == j && c > 1; }),
              1e-12);
  EXPECT_NEAR(actual("all_negatives", 3), expected([](int64_t i, int64_t c, int64_t j) { return i != j || c > 1; }),
              1e-12);
  EXPECT_NEAR(actual("all_negatives", 0), total({{"scale", 5.0}}, x), 1e-14);
}

TEST(RankingLosses, DuplicatesOfAnchorAndPositiveAreMasked) {
  const at::Tensor x = random_tensor({3, kRows, kWidth}, at::kDouble, 2);
  // Row 1's positive is row 0's; row 2's hard negative is its own anchor; row 3's negative is row 0's anchor.
  const at::Tensor ids = at::tensor({0, 1, 2, 3, 10, 10, 12, 13, 20, 21, 2, 0}, at::kLong).view({3, 4});
  const auto kept = [](int64_t i, int64_t column, int64_t j) {
    const bool positive = column == 1 && ((i == 0 && j == 1) || (i == 1 && j == 0));
    const bool anchor = column == 2 && ((i == 2 && j == 2) || (i == 0 && j == 3));
    return !positive && !anchor;
  };
  const LossValue value = ranking({{"scale", 5.0}, {"maskDuplicates", true}}, x, ids);
  EXPECT_NEAR(value.total.item<double>(), written_out(x, 5, kept), 1e-12);
  EXPECT_NEAR(masked_share(value), 4.0 / (kRows * 2 * kRows - kRows), 1e-15);
  EXPECT_TRUE(ranking({{"scale", 5.0}}, x).logged.empty());
  expect_error("ERR_INVALID_DATA", "maskDuplicates needs the numbers of the texts",
               [&] { ranking({{"maskDuplicates", true}}, x); });
}

TEST(RankingLosses, CandidatesThatScoreTooHighAreMasked) {
  const at::Tensor x = random_tensor({3, kRows, kWidth}, at::kDouble, 3);
  for (const double margin : {0.0, 0.3, -0.3}) {
    int masked = 0;
    const auto kept = [&](int64_t i, int64_t column, int64_t j) {
      if (column == 1 && i == j) return true;
      const bool out = cosine(x[0][i], x[column][j]) > cosine(x[0][i], x[1][i]) - margin;
      masked += out;
      return !out;
    };
    const double expected = written_out(x, 5, kept);
    const LossValue value = ranking({{"scale", 5.0}, {"falseNegativeMargin", margin}}, x);
    EXPECT_NEAR(value.total.item<double>(), expected, 1e-12) << margin;
    EXPECT_NEAR(masked_share(value), masked / 28.0, 1e-15) << margin;
  }
  // Everything but the own positive is masked: nothing is left to learn, and nothing is NaN.
  const at::Tensor leaf = x.clone().requires_grad_(true);
  const LossValue value = ranking({{"falseNegativeMargin", 3.0}}, leaf);
  EXPECT_EQ(value.total.item<double>(), 0);
  EXPECT_EQ(masked_share(value), 1);
  EXPECT_EQ(torch::autograd::grad({value.total}, {leaf})[0].abs().max().item<double>(), 0);
  // One row without negatives has nothing to mask.
  EXPECT_EQ(masked_share(ranking({{"falseNegativeMargin", 0.0}}, x.narrow(0, 0, 2).narrow(1, 0, 1))), 0);
}

TEST(RankingLosses, RowsNeverMeetTheirOwnTextsInOtherDirections) {
  const at::Tensor x = random_tensor({3, kRows, kWidth}, at::kDouble, 4);
  const Config all = texts({"query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"});
  double sum = 0;
  for (int64_t i = 0; i < kRows; ++i) {
    double z = 0;
    for (int64_t j = 0; j < kRows; ++j) {
      for (int64_t column = 1; column < 3; ++column) {
        z += std::exp(5 * cosine(x[0][i], x[column][j]));
        if (i != j) z += std::exp(5 * cosine(x[1][i], x[column][j]));
      }
      if (i != j) z += std::exp(5 * cosine(x[0][i], x[0][j]));
      z += std::exp(5 * cosine(x[0][j], x[1][i]));
    }
    sum += std::log(z) - 5 * cosine(x[0][i], x[1][i]);
  }
  EXPECT_NEAR(total({{"scale", 5.0}, {"directions", all}}, x), sum / kRows, 1e-12);
}

TEST(RankingLosses, LargeBatchesAreSummedInChunks) {
  const int64_t rows = 3100;  // 9.6 million scores: two chunks
  ASSERT_GT(rows * rows, kScoresAtOnce);
  const at::Tensor x = random_tensor({2, rows, kWidth}, at::kFloat, 5).requires_grad_(true);
  const LossValue value = ranking({{"falseNegativeMargin", 0.0}}, x);
  const at::Tensor scores = cosine_matrix(x[0], x[1]) * 20, positives = scores.diagonal();
  const at::Tensor expected =
      (scores.masked_fill(scores > positives.unsqueeze(1), -INFINITY).logsumexp(1) - positives).mean();
  EXPECT_NEAR(value.total.item<double>(), expected.item<double>(), 1e-5);
  const at::Tensor share = (scores > positives.unsqueeze(1)).sum().to(at::kDouble) / (rows * (rows - 1));
  EXPECT_NEAR(masked_share(value), share.item<double>(), 1e-5);
  expect_close(torch::autograd::grad({value.total * 2}, {x})[0], torch::autograd::grad({expected * 2}, {x})[0], 1e-4,
               "gradient in chunks");
  EXPECT_NEAR(ranking({}, x.detach()).total.item<double>(), ranking({}, x).total.item<double>(), 1e-6);
}

TEST(RankingLosses, OptionsThatDoNotFitAreRefused) {
  const auto refused = [](const Config::Object& options, const std::string& message) {
    expect_error("ERR_INVALID_ARGUMENT", message, [&] { total(options, at::zeros({2, 1, 1})); });
  };
  refused({{"directions", texts({"doc_to_query"})}}, "needs query_to_doc");
  refused({{"directions", texts({"query_to_doc", "doc"})}}, "doc_to_doc for directions but found doc");
  refused({{"partitionMode", text("both")}}, "partitionMode but found both");
  refused({{"partitionMode", text("per_direction")}, {"directions", texts({"query_to_doc", "doc_to_doc"})}},
          "no other direction holds the positive");
  refused({{"hardnessMode", text("hard")}}, "hardnessMode but found hard");
  refused({{"hardnessStrength", -1.0}}, "at least 0 for hardnessStrength but found -1");
}

}  // namespace

}  // namespace st::test
