// Losses that hold another one: what they draw, what they hand on, what they refuse.
#include <torch/csrc/autograd/autograd.h>

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

// A batch of a model whose layers give `layers_CBD`.
LossInput input_of_layers(const std::vector<at::Tensor>& layers_CBD, uint64_t draw = 0) {
  LossInput input = input_of(layers_CBD.back(), draw);
  input.layers_CBD = layers_CBD;
  return input;
}

std::vector<at::Tensor> random_layers(int64_t count) {
  std::vector<at::Tensor> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(random_tensor({2, kRows, kWidth}, at::kDouble, 20 + i));
  return out;
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

double divergence(const at::Tensor& layer_CBD, const at::Tensor& last_CBD, double temperature) {
  const at::Tensor p = (last_CBD.flatten(0, 1) / temperature).softmax(1);
  const at::Tensor q = (layer_CBD.flatten(0, 1) / temperature).softmax(1);
  return (p * (p.log() - q.log())).sum().item<double>() / static_cast<double>(p.size(0));
}

TEST(AdaptiveLayer, SumsTheLossesOfItsLayers) {
  const std::vector<at::Tensor> x = random_layers(4);
  for (const std::string weighting : {"uniform", "linear", "log"}) {
    const Config spec = spec_of("AdaptiveLayerLoss", {{"loss", spec_of("MultipleNegativesRankingLoss")},
                                                      {"nLayersPerStep", -1.0},
                                                      {"lastLayerWeight", 0.5},
                                                      {"priorLayersWeight", 2.0},
                                                      {"klDivWeight", 3.0},
                                                      {"klTemperature", 0.7},
                                                      {"layerWeighting", text(weighting)}});
    double expected = cut(x[3], kWidth) / 2;
    for (size_t i = 0; i < 3; ++i) {
      const auto layer = static_cast<double>(i);
      const double weight = weighting == "uniform"  ? 1
                            : weighting == "linear" ? 1 / (1 + layer)
                                                    : 1 / (1 + std::log(1 + layer));
      expected += cut(x[i], kWidth) * weight / 3 * 2 + divergence(x[i], x[3], 0.7) * 0.7 * 3;
    }
    EXPECT_NEAR(run(spec, input_of_layers(x)).total.item<double>(), expected, 1e-12) << weighting;
  }
  const Config given = spec_of("AdaptiveLayerLoss", {{"loss", spec_of("MultipleNegativesRankingLoss")},
                                                     {"nLayersPerStep", 0.0},
                                                     {"klTemperature", 0.0},
                                                     {"layerWeights", numbers({1, 2, 4})}});
  EXPECT_NEAR(run(given, input_of_layers(x)).total.item<double>(),
              cut(x[3], kWidth) + (cut(x[0], kWidth) + 2 * cut(x[1], kWidth) + 4 * cut(x[2], kWidth)) / 3, 1e-12);
}

TEST(AdaptiveLayer, TheLastLayerLearnsNothingFromTheDivergence) {
  std::vector<at::Tensor> x = random_layers(3);
  for (at::Tensor& layer : x) layer.requires_grad_(true);
  const Config spec = spec_of("AdaptiveLayerLoss", {{"loss", spec_of("MultipleNegativesRankingLoss")},
                                                    {"lastLayerWeight", 0.0},
                                                    {"priorLayersWeight", 0.0},
                                                    {"nLayersPerStep", -1.0}});
  const std::vector<at::Tensor> gradients = torch::autograd::grad({run(spec, input_of_layers(x)).total}, x);
  EXPECT_EQ(gradients[2].abs().max().item<double>(), 0);
  for (size_t i = 0; i < 2; ++i) EXPECT_GT(gradients[i].abs().max().item<double>(), 1e-3);
}

TEST(AdaptiveLayer, DrawsLayersForEachBatchAndWidthsForEachLayer) {
  const std::vector<at::Tensor> x = random_layers(4);
  const Config ranking = spec_of("MultipleNegativesRankingLoss", {{"falseNegativeMargin", 0.5}});
  const Config inner =
      spec_of("MatryoshkaLoss", {{"loss", ranking}, {"matryoshkaDims", numbers({6, 2})}, {"nDimsPerStep", 1.0}});
  const Config spec = spec_of("AdaptiveLayerLoss", {{"loss", inner}, {"klTemperature", 0.0}});
  std::map<std::string, int> layers, widths;
  int different = 0;
  for (uint64_t draw = 0; draw < 300; ++draw) {
    const LossValue value = run(spec, input_of_layers(x, draw));
    ASSERT_EQ(value.logged.size(), 2U);  // masked_share_dim_6, masked_share_dim_2_layer_1
    const std::string last = value.logged[0].first, prior = value.logged[1].first;
    const int64_t last_dim = last.back() - '0', layer = prior.back() - '0', dim = prior[17] - '0';
    ++layers[std::to_string(layer)];
    ++widths[std::to_string(dim)];
    different += last_dim != dim;
    const auto ranked = [&](size_t index, int64_t width) {
      return run(ranking, input_of(x[index].narrow(2, 0, width))).total.item<double>();
    };
    EXPECT_NEAR(value.total.item<double>(), ranked(3, last_dim) + ranked(static_cast<size_t>(layer), dim), 1e-12);
  }
  ASSERT_EQ(layers.size(), 3U);
  for (const auto& [layer, count] : layers) EXPECT_NEAR(count, 100, 33) << layer;
  for (const auto& [width, count] : widths) EXPECT_NEAR(count, 150, 35) << width;
  EXPECT_NEAR(different, 150, 35);
}

TEST(AdaptiveLayer, WhatDoesNotFitIsRefused) {
  const std::vector<at::Tensor> x = random_layers(3);
  const auto refused = [&](Config::Object options, const std::string& message) {
    if (options.count("loss") == 0) options["loss"] = spec_of("MultipleNegativesRankingLoss");
    expect_error("ERR_INVALID_ARGUMENT", message,
                 [&] { run(spec_of("AdaptiveLayerLoss", options), input_of_layers(x)); });
  };
  refused({{"layerWeighting", text("cubic")}}, "uniform, log or linear for layerWeighting but found cubic");
  refused({{"layerWeights", numbers({1})}, {"nLayersPerStep", -1.0}},
          "layerWeights has 1 weights, but there is a layer 1");
  refused({{"loss", spec_of("ContrastiveTensionLoss")}}, "cannot hold ContrastiveTensionLoss");
  const Config plain = spec_of("AdaptiveLayerLoss", {{"loss", spec_of("MultipleNegativesRankingLoss")}});
  refused({{"loss", plain}}, "cannot hold AdaptiveLayerLoss");
  expect_error("ERR_INVALID_DATA", "needs the embeddings of every layer", [&] { run(plain, input_of(x[0])); });
  // A model without layers before the last has that one alone.
  EXPECT_NEAR(run(plain, input_of_layers({x[2]})).total.item<double>(), cut(x[2], kWidth), 1e-15);
}

}  // namespace

}  // namespace st::test
