// The ranking losses: what their options change, against terms written out pair by pair.
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

LossValue gist(Config::Object options, const at::Tensor& embeddings_CBD, const at::Tensor& guide_CBG) {
  options["type"] = text("GISTEmbedLoss");
  Layout layout;
  const std::unique_ptr<Loss> loss = make_loss(options, embeddings_CBD.size(2), LossLayout{layout});
  const std::vector<at::Tensor> none;
  const LossInput input{.embeddings_CBD = embeddings_CBD, .labels = {}, .parameters = none, .guide_CBG = guide_CBG};
  loss->check_batch(input);
  return loss->forward(input);
}

TEST(RankingLosses, AGuideMasksWhatItFindsNearerThanThePositive) {
  const at::Tensor x = random_tensor({3, kRows, kWidth}, at::kDouble, 6),
                   guide = random_tensor({3, kRows, 3}, at::kFloat, 7);
  for (const bool relative : {false, true}) {
    double sum = 0;
    int masked = 0, negatives = 0;
    for (int64_t i = 0; i < kRows; ++i) {
      const double positive = cosine(guide[0][i], guide[1][i]);
      const double limit = positive - (relative ? std::abs(positive) : 1) * 0.25;
      double z = 0;
      for (const auto& [a, b] : {std::pair{0, 1}, {0, 0}, {1, 1}, {0, 2}}) {
        for (int64_t j = 0; j < kRows; ++j) {
          const bool own = a == 0 && b == 1 && i == j, itself = a == b && i == j;
          const bool out = !own && cosine(guide[a][i], guide[b][j]) > limit;
          if (!out) z += std::exp(cosine(x[a][i], x[b][j]) / 0.1);
          if (!own && !itself) masked += out, ++negatives;
        }
      }
      sum += std::log(z) - cosine(x[0][i], x[1][i]) / 0.1;
    }
    const LossValue value =
        gist({{"temperature", 0.1}, {"margin", 0.25}, {"marginStrategy", text(relative ? "relative" : "absolute")}}, x,
             guide);
    EXPECT_NEAR(value.total.item<double>(), sum / kRows, 1e-9);
    EXPECT_GT(masked, 0);
    EXPECT_NEAR(masked_share(value), static_cast<double>(masked) / negatives, 1e-15);
  }
}

TEST(RankingLosses, CandidatesAsNearAsThePositiveStay) {
  // One text everywhere: for the guide, all similarities are equal, whatever place of a matrix product they come from.
  const int64_t rows = 65;
  const at::Tensor x = random_tensor({3, rows, kWidth}, at::kDouble, 8);
  const at::Tensor guide = random_tensor({1, 1, 33}, at::kFloat, 9).expand({3, rows, 33});
  EXPECT_EQ(masked_share(gist({}, x, guide)), 0);
  EXPECT_EQ(masked_share(gist({{"margin", 0.01}}, x, guide)), 1);
}

LossValue tension(const std::string& type, const LossInput& input) {
  Parameters parameters;
  const std::unique_ptr<Loss> loss =
      make_loss(Config::Object{{"type", text(type)}}, kWidth, LossLayout{parameters.layout});
  EXPECT_TRUE(loss->needs().twin);
  parameters.allocate(at::kCPU, at::kDouble);
  loss->initialize(parameters, 1);
  LossInput own = input;
  const std::vector<at::Tensor> values = parameters.layout.views(parameters.flat());
  const LossInput whole{
      .embeddings_CBD = own.embeddings_CBD, .labels = own.labels, .parameters = values, .text_ids_CB = own.text_ids_CB};
  loss->check_batch(whole);
  return loss->forward(whole);
}

TEST(RankingLosses, ContrastiveTensionTakesLabelsOrComparesTexts) {
  const std::vector<at::Tensor> none;
  const at::Tensor x = random_tensor({2, kRows, kWidth}, at::kDouble, 10);
  double sum = 0;  // rows 0 and 2 are the same text twice
  for (int64_t i = 0; i < kRows; ++i) {
    const double logit = (x[0][i] * x[1][i]).sum().item<double>();
    sum += std::log1p(std::exp(i % 2 == 0 ? -logit : logit));
  }
  const at::Tensor ids = at::tensor({4, 5, 6, 7, 4, 6, 6, 5}, at::kLong).view({2, kRows});
  const at::Tensor labels = at::tensor({1, 0, 1, 0}, at::kLong);
  const std::string type = "ContrastiveTensionLoss";
  EXPECT_NEAR(
      tension(type, {.embeddings_CBD = x, .labels = {}, .parameters = none, .text_ids_CB = ids}).total.item<double>(),
      sum, 1e-12);
  EXPECT_NEAR(tension(type, {.embeddings_CBD = x, .labels = labels, .parameters = none}).total.item<double>(), sum,
              1e-12);
  EXPECT_NEAR(tension(type, {.embeddings_CBD = x, .labels = labels, .parameters = none, .text_ids_CB = ids * 0})
                  .total.item<double>(),
              sum, 1e-12);
  expect_error("ERR_INVALID_DATA", "needs labels or the numbers of the texts",
               [&] { tension(type, {.embeddings_CBD = x, .labels = {}, .parameters = none}); });
}

TEST(RankingLosses, ContrastiveTensionInBatchIsTheSymmetricRankingLossAtFirst) {
  const std::vector<at::Tensor> none;
  const at::Tensor x = random_tensor({2, kRows, kWidth}, at::kDouble, 11);
  const double symmetric =
      total({{"directions", texts({"query_to_doc", "doc_to_query"})}, {"partitionMode", text("per_direction")}}, x);
  const LossValue value =
      tension("ContrastiveTensionLossInBatchNegatives", {.embeddings_CBD = x, .labels = {}, .parameters = none});
  EXPECT_NEAR(value.total.item<double>(), symmetric, 1e-12);
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
  const at::Tensor two = at::zeros({2, 2, 2});
  expect_error("ERR_INVALID_ARGUMENT", "absolute or relative for marginStrategy but found both",
               [&] { gist({{"marginStrategy", text("both")}}, two, two); });
  expect_error("ERR_INVALID_ARGUMENT", "positive temperature but found 0",
               [&] { gist({{"temperature", 0.0}}, two, two); });
  expect_error("ERR_INVALID_DATA", "needs the embeddings of a guide model", [&] { gist({}, two, {}); });
}

}  // namespace

}  // namespace st::test
