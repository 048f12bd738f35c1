// Losses that hold another one: what they draw, what they hand on, what they refuse.
#include <ATen/ops/stack.h>

#include <cmath>
#include <map>
#include <set>

#include "losses/loss.h"
#include "losses/sample.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

constexpr int64_t kRows = 4, kWidth = 6;

Config numbers(const std::vector<double>& values) {
  return Config::Array(values.begin(), values.end());
}

Config spec_of(const std::string& type, Config::Object options = {}) {
  options["type"] = text(type);
  return options;
}

LossValue run(const Config& spec, LossInput input) {
  Parameters parameters;
  const std::unique_ptr<Loss> loss = make_loss(spec, kWidth, LossLayout{parameters.layout});
  loss->check_batch(input);
  return loss->forward(input);
}

const std::vector<at::Tensor> kNone;

LossInput input_of(const at::Tensor& embeddings_CBD, uint64_t draw = 0) {
  return {.embeddings_CBD = embeddings_CBD, .labels = {}, .parameters = kNone, .draw = draw};
}

// The ranking loss on embeddings cut to `dim`.
double cut(const at::Tensor& embeddings_CBD, int64_t dim) {
  return run(spec_of("MultipleNegativesRankingLoss"), input_of(embeddings_CBD.narrow(2, 0, dim))).total.item<double>();
}

TEST(Sample, IsASetThatTheDrawAloneDecides) {
  std::map<std::vector<int64_t>, int> found;
  for (uint64_t draw = 0; draw < 6000; ++draw) {
    const std::vector<int64_t> chosen = sample(4, 2, draw * 0x9E3779B97F4A7C15);
    ASSERT_EQ(chosen.size(), 2U);
    ASSERT_LT(chosen[0], chosen[1]);
    ++found[chosen];
  }
  // Six sets, 1000 each on average: 1000 +- 4 standard deviations of 29.
  EXPECT_EQ(found.size(), 6U);
  for (const auto& [chosen, count] : found) EXPECT_NEAR(count, 1000, 116) << chosen[0] << ", " << chosen[1];
  EXPECT_EQ(sample(9, 3, 5), sample(9, 3, 5));
  const std::vector<int64_t> all = {0, 1, 2};
  for (const int64_t count : {-1, 0, 3, 4}) EXPECT_EQ(sample(3, count, 5), all);
  EXPECT_TRUE(sample(0, 1, 5).empty());
  std::set<uint64_t> parts;
  for (uint64_t index = 0; index < 100; ++index) parts.insert(part_of_draw(5, index));
  EXPECT_EQ(parts.size(), 100U);
}

TEST(Matryoshka, SumsTheLossOfEveryWidth) {
  const at::Tensor x = random_tensor({3, kRows, kWidth}, at::kDouble, 1);
  const Config all = spec_of("MatryoshkaLoss", {{"loss", spec_of("MultipleNegativesRankingLoss")},
                                                {"matryoshkaDims", numbers({2, 6, 4})},
                                                {"matryoshkaWeights", numbers({1, 0.5, 2})}});
  EXPECT_NEAR(run(all, input_of(x)).total.item<double>(), cut(x, 2) + cut(x, 6) / 2 + cut(x, 4) * 2, 1e-12);
  // Cut embeddings have length 1 again, which dot products show.
  const Config::Object dot = {{"scale", 1.0}, {"similarity", text("dot")}};
  const at::Tensor unit = normalize_rows(x.narrow(2, 0, 3).flatten(0, 1)).view({3, kRows, 3});
  const Config one = spec_of(
      "MatryoshkaLoss", {{"loss", spec_of("MultipleNegativesRankingLoss", dot)}, {"matryoshkaDims", numbers({3})}});
  EXPECT_NEAR(run(one, input_of(x)).total.item<double>(),
              run(spec_of("MultipleNegativesRankingLoss", dot), input_of(unit)).total.item<double>(), 1e-12);
}

TEST(Matryoshka, DrawsWidthsForEachBatch) {
  const at::Tensor x = random_tensor({2, kRows, kWidth}, at::kDouble, 2);
  const Config spec =
      spec_of("MatryoshkaLoss", {{"loss", spec_of("MultipleNegativesRankingLoss", {{"falseNegativeMargin", 0.5}})},
                                 {"matryoshkaDims", numbers({6, 4, 2})},
                                 {"nDimsPerStep", 1.0}});
  const Config plain = spec_of("MultipleNegativesRankingLoss", {{"falseNegativeMargin", 0.5}});
  std::map<std::string, int> chosen;
  for (uint64_t draw = 0; draw < 300; ++draw) {
    const LossValue value = run(spec, input_of(x, draw));
    ASSERT_EQ(value.logged.size(), 1U);
    const std::string name = value.logged[0].first;
    ++chosen[name];
    ASSERT_EQ(name.rfind("masked_share_dim_", 0), 0U) << name;
    const at::Tensor narrow = x.narrow(2, 0, name.back() - '0');
    EXPECT_NEAR(value.total.item<double>(), run(plain, input_of(narrow)).total.item<double>(), 1e-12);
  }
  ASSERT_EQ(chosen.size(), 3U);
  for (const auto& [name, count] : chosen) EXPECT_NEAR(count, 100, 33) << name;
}

TEST(Matryoshka, WhatDoesNotFitIsRefused) {
  const auto refused = [](Config::Object options, const std::string& message) {
    if (options.count("loss") == 0) options["loss"] = spec_of("MultipleNegativesRankingLoss");
    expect_error("ERR_INVALID_ARGUMENT", message, [&] {
      run(spec_of("MatryoshkaLoss", options), input_of(random_tensor({2, kRows, kWidth}, at::kDouble, 1)));
    });
  };
  refused({}, "at least one of matryoshkaDims");
  refused({{"matryoshkaDims", numbers({7})}}, "from 1 to 6, the width of the model's embeddings, but found 7");
  refused({{"matryoshkaDims", numbers({0})}}, "but found 0");
  refused({{"matryoshkaDims", numbers({6, 3})}, {"matryoshkaWeights", numbers({1})}}, "Expected 2 matryoshkaWeights");
  refused({{"matryoshkaDims", numbers({6, 3})}, {"loss", spec_of("SoftmaxLoss", {{"numLabels", 3.0}})}},
          "cannot hold SoftmaxLoss: its loss.loss.classifier.weight fits one width");
}

}  // namespace

}  // namespace st::test
