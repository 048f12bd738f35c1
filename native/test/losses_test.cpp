// Every loss of the registry: gradients against central differences in float64, values, errors.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <sstream>

#include "losses/loss.h"
#include "support.h"

namespace st::test {

namespace {

constexpr int64_t kRows = 5, kWidth = 6;

// By the number of columns.
using Labels = std::function<at::Tensor(int64_t)>;

at::Tensor none(int64_t) {
  return {};
}

at::Tensor scores(int64_t) {
  return random_tensor({kRows}, at::kDouble, 3);
}

// 1, 0, 2, 1, 0
at::Tensor classes(int64_t) {
  at::Tensor out = at::empty({kRows}, at::kLong);
  for (int64_t row = 0; row < kRows; ++row) out.data_ptr<int64_t>()[row] = (2 * row + 1) % 3;
  return out;
}

at::Tensor classes_of_two(int64_t columns) {
  return classes(columns).remainder(2);
}

// Three texts in all, so that most are there more than once.
void few_texts(LossInput& input) {
  input.text_ids_CB = at::arange(input.columns() * input.rows(), at::kLong).view({input.columns(), -1}).remainder(3);
}

// 1, 0, 0, 1, 0
at::Tensor binary(int64_t columns) {
  return (classes(columns) == 1).to(at::kDouble);
}

void guide(LossInput& input) {
  input.guide_CBG = random_tensor({input.columns(), input.rows(), 4}, at::kFloat, 7);
}

// What goes into a model of two layers, and what comes out of each.
void layers(LossInput& input) {
  const at::Tensor& x_CBD = input.embeddings_CBD;
  input.layers_CBD = {x_CBD.sin(), x_CBD * x_CBD - 0.5, x_CBD};
}

// The same under a last layer that does not depend on what is differentiated: a teacher gets no gradient.
void layers_below(LossInput& input) {
  const at::Tensor x_CBD = input.embeddings_CBD;
  input.embeddings_CBD = random_tensor(x_CBD.sizes(), at::kDouble, 8);
  input.layers_CBD = {x_CBD.sin(), x_CBD * x_CBD - 0.5, input.embeddings_CBD};
}

Config inner(const std::string& type, Config::Object options = {}) {
  options["type"] = text(type);
  return options;
}

Config numbers(const std::vector<double>& values) {
  return Config::Array(values.begin(), values.end());
}

// [rows, columns + more] or, with a width, [rows, width].
Labels tables(int64_t more, int64_t width) {
  return [=](int64_t columns) { return random_tensor({kRows, width > 0 ? width : columns + more}, at::kDouble, 4); };
}

struct LossCase {
  std::string type;
  Config::Object options;
  Labels labels;
  std::vector<int64_t> columns;
  // What the loss asks for beyond embeddings and labels.
  std::function<void(LossInput&)> complete = [](LossInput&) {};
};

// A new loss gets its line here: LossRegistryIsCovered fails without it.
const std::vector<LossCase>& loss_cases() {
  static const std::vector<LossCase> cases = {
      {"AnglELoss", {{"scale", 3.0}}, scores, {2, 3, 4}},
      {"AnglELoss", {{"scale", 3.0}}, none, {3}},
      {"BatchAllTripletLoss", {}, classes, {1}},
      {"BatchAllTripletLoss", {{"distanceMetric", text("cosine")}, {"margin", 0.5}}, classes, {1}},
      {"BatchHardSoftMarginTripletLoss", {}, classes, {1}},
      {"BatchHardTripletLoss", {}, classes, {1}},
      {"BatchHardTripletLoss", {{"distanceMetric", text("cosine")}, {"margin", 1.0}}, classes, {1}},
      {"BatchSemiHardTripletLoss", {}, classes, {1}},
      {"BatchSemiHardTripletLoss", {{"distanceMetric", text("cosine")}, {"margin", 0.5}}, classes, {1}},
      {"CoSENTLoss", {}, scores, {2}},
      {"CoSENTLoss", {{"scale", 3.0}}, classes, {2}},
      {"CoSENTLoss", {{"similarity", text("dot")}}, scores, {2}},
      {"CoSENTLoss", {{"similarity", text("euclidean")}, {"scale", 1.0}}, scores, {2}},
      {"CoSENTLoss", {{"similarity", text("manhattan")}, {"scale", 1.0}}, scores, {2}},
      {"ContrastiveLoss", {{"margin", 2.0}}, binary, {2}},
      {"ContrastiveLoss", {{"distanceMetric", text("euclidean")}, {"margin", 3.0}}, binary, {2}},
      {"ContrastiveLoss", {{"distanceMetric", text("manhattan")}, {"sizeAverage", false}}, scores, {2}},
      {"CosineSimilarityLoss", {}, scores, {2}},
      {"CosineSimilarityLoss", {{"cosScoreTransformation", text("sigmoid")}}, scores, {2}},
      {"DistillKLDivLoss", {}, tables(-1, 0), {3, 4}},
      {"DistillKLDivLoss",
       {{"similarity", text("cosine")}, {"studentTemperature", 0.5}, {"teacherTemperature", 3.0}},
       tables(-1, 0),
       {3}},
      {"EmbedDistillLoss", {}, tables(0, kWidth), {1, 2, 3}},
      {"EmbedDistillLoss", {{"distanceMetric", text("l2")}}, tables(0, kWidth), {2}},
      {"EmbedDistillLoss", {{"distanceMetric", text("l2")}, {"projectionDim", 4.0}}, tables(0, 4), {1, 2}},
      {"GlobalOrthogonalRegularizationLoss", {}, none, {1, 2, 3}},
      {"GlobalOrthogonalRegularizationLoss",
       {{"similarity", text("dot")}, {"meanWeight", 0.0}, {"aggregation", text("sum")}},
       none,
       {2}},
      {"MSELoss", {}, tables(0, kWidth), {1, 2}},
      {"MSELoss", {{"projectionDim", 7.0}}, tables(0, 7), {2}},
      {"MarginMSELoss", {}, scores, {3}},
      {"MarginMSELoss", {}, tables(-1, 0), {3, 5}},
      {"MarginMSELoss", {{"similarity", text("cosine")}}, tables(-2, 0), {3, 4}},
      {"MegaBatchMarginLoss", {}, none, {2}},
      {"MultipleNegativesRankingLoss", {}, none, {2, 3, 4, 5}},
      {"MultipleNegativesRankingLoss", {{"scale", 1.0}, {"similarity", text("dot")}}, none, {2, 3}},
      {"MultipleNegativesRankingLoss",
       {{"scale", 5.0},
        {"directions", texts({"query_to_doc", "doc_to_query"})},
        {"partitionMode", text("per_direction")}},
       none,
       {2, 4}},
      {"MultipleNegativesRankingLoss",
       {{"scale", 5.0},
        {"directions", texts({"query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"})},
        {"maskDuplicates", true},
        {"falseNegativeMargin", 0.1}},
       none,
       {2, 3, 4},
       few_texts},
      {"OnlineContrastiveLoss", {{"margin", 2.0}}, binary, {2}},
      {"OnlineContrastiveLoss", {{"distanceMetric", text("euclidean")}, {"margin", 3.0}}, binary, {2}},
      {"ContrastiveTensionLoss", {}, classes_of_two, {2}},
      {"ContrastiveTensionLoss", {}, none, {2}, few_texts},
      {"ContrastiveTensionLossInBatchNegatives", {{"scale", 3.0}}, none, {2}},
      {"ContrastiveTensionLossInBatchNegatives", {{"scale", 1.0}, {"similarity", text("dot")}}, none, {2}},
      {"GISTEmbedLoss", {{"temperature", 0.5}}, none, {2, 3, 4}, guide},
      {"GISTEmbedLoss",
       {{"temperature", 0.5},
        {"marginStrategy", text("relative")},
        {"margin", 0.2},
        {"contrastAnchors", false},
        {"contrastPositives", false}},
       none,
       {2, 3},
       guide},
      {"AdaptiveLayerLoss",
       {{"loss", inner("MultipleNegativesRankingLoss", {{"scale", 3.0}})},
        {"nLayersPerStep", -1.0},
        {"klTemperature", 0.0},
        {"layerWeighting", text("log")}},
       none,
       {2, 3},
       layers},
      {"AdaptiveLayerLoss",
       {{"loss", inner("SoftmaxLoss", {{"numLabels", 3.0}})}, {"klTemperature", 1.0}, {"klDivWeight", 2.0}},
       classes,
       {2},
       layers_below},
      {"AdaptiveLayerLoss",
       {{"loss", inner("MatryoshkaLoss",
                       {{"loss", inner("CoSENTLoss", {{"scale", 3.0}})}, {"matryoshkaDims", numbers({6, 3})}})},
        {"klTemperature", 0.0},
        {"nLayersPerStep", 1.0}},
       scores,
       {2},
       layers},
      {"MatryoshkaLoss",
       {{"loss", inner("MultipleNegativesRankingLoss", {{"scale", 3.0}})},
        {"matryoshkaDims", numbers({2, 6, 4})},
        {"matryoshkaWeights", numbers({1, 0.5, 2})}},
       none,
       {2, 3}},
      {"MatryoshkaLoss",
       {{"loss", inner("GISTEmbedLoss", {{"temperature", 0.5}})},
        {"matryoshkaDims", numbers({1, 5})},
        {"nDimsPerStep", 1.0}},
       none,
       {3},
       guide},
      {"SoftmaxLoss", {{"numLabels", 3.0}}, classes, {2}},
      {"SoftmaxLoss",
       {{"numLabels", 3.0}, {"concatenationSentRep", false}, {"concatenationSentMultiplication", true}},
       classes,
       {2}},
      {"TripletLoss", {}, none, {3}},
      {"TripletLoss", {{"distanceMetric", text("cosine")}, {"tripletMargin", 1.0}}, none, {3}},
      {"TripletLoss", {{"distanceMetric", text("manhattan")}}, none, {3}},
  };
  return cases;
}

// A loss with its own parameters, for embeddings of width kWidth.
struct Fixture {
  Parameters parameters;
  std::unique_ptr<Loss> loss;

  Fixture(const std::string& type, Config::Object options) {
    options["type"] = text(type);
    loss = make_loss(options, kWidth, LossLayout{parameters.layout});
    parameters.allocate(at::kCPU, at::kDouble);
    loss->initialize(parameters, 1);
  }
  std::vector<at::Tensor> values() { return parameters.layout.views(parameters.flat()); }
  at::Tensor forward(
      const at::Tensor& embeddings_CBD, const at::Tensor& labels, const std::vector<at::Tensor>& values,
      const std::function<void(LossInput&)>& complete = [](LossInput&) {}) const {
    LossInput input{.embeddings_CBD = embeddings_CBD, .labels = labels, .parameters = values};
    complete(input);
    loss->check_batch(input);
    return loss->forward(input).total;
  }
  double value(const at::Tensor& embeddings_CBD, const at::Tensor& labels) {
    return forward(embeddings_CBD, labels, values()).item<double>();
  }
};

TEST(Losses, RegistryIsCovered) {
  std::string known;
  try {
    Fixture("NoLoss", {});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "ERR_NOT_IMPLEMENTED");
    known = error.what();
  }
  const std::string lead = "Loss NoLoss is not built: expected ";
  ASSERT_EQ(known.rfind(lead, 0), 0U) << known;
  std::set<std::string> registered, covered;
  std::istringstream names(known.substr(lead.size()));
  for (std::string name; std::getline(names >> std::ws, name, ',');) registered.insert(name);
  for (const LossCase& c : loss_cases()) covered.insert(c.type);
  covered.insert("Custom");  // is computed by the caller: chunks_test.cpp
  for (const char* name : {"DenoisingAutoEncoderLoss", "MaskedLanguageModelLoss"})
    covered.insert(name);  // language_model_test.cpp
  EXPECT_EQ(registered, covered);
}

TEST(Differences, Losses) {
  for (const LossCase& c : loss_cases()) {
    for (int64_t columns : c.columns) {
      Fixture fixture(c.type, c.options);
      std::vector<at::Tensor> inputs = fixture.values();
      inputs.insert(inputs.begin(), random_tensor({columns, kRows, kWidth}, at::kDouble, 2));
      const at::Tensor labels = c.labels(columns);
      expect_autograd(
          [&](const std::vector<at::Tensor>& in) {
            return fixture.forward(in[0], labels, std::vector<at::Tensor>(in.begin() + 1, in.end()), c.complete);
          },
          inputs, c.type + " of " + std::to_string(columns) + " columns");
    }
  }
}

// A loss that drops what is not finite would hide that training has failed.
TEST(Losses, WhatIsNotFiniteComesOut) {
  for (const LossCase& c : loss_cases()) {
    for (int64_t columns : c.columns) {
      for (int64_t row : {int64_t{0}, kRows - 1}) {
        Fixture fixture(c.type, c.options);
        const at::Tensor embeddings = random_tensor({columns, kRows, kWidth}, at::kDouble, 2);
        embeddings[columns - 1][row][0] = std::numeric_limits<double>::quiet_NaN();
        const double value =
            fixture.forward(embeddings, c.labels(columns), fixture.values(), c.complete).item<double>();
        EXPECT_FALSE(std::isfinite(value)) << c.type << " of " << columns << " columns, row " << row;
      }
    }
  }
}

TEST(Losses, Values) {
  const at::Tensor unit = at::eye(kWidth, at::kDouble).narrow(0, 0, kRows);
  const at::Tensor equal = at::stack({unit, unit * 3}), opposite = at::stack({unit, -unit});
  const at::Tensor ones = at::zeros({kRows}, at::kDouble) + 1;
  EXPECT_NEAR(Fixture("MultipleNegativesRankingLoss", {{"scale", 2.0}}).value(equal, {}),
              std::log1p(4 * std::exp(-2.0)), 1e-14);
  EXPECT_NEAR(Fixture("MultipleNegativesRankingLoss", {{"scale", 2.0}, {"similarity", text("dot")}}).value(equal, {}),
              std::log1p(4 * std::exp(-6.0)), 1e-14);
  // Hard negatives that equal the positives: twice as many candidates, two of them right.
  EXPECT_NEAR(Fixture("MultipleNegativesRankingLoss", {{"scale", 2.0}}).value(at::stack({unit, unit, unit}), {}),
              std::log(2 + 8 * std::exp(-2.0)), 1e-14);
  EXPECT_NEAR(Fixture("CosineSimilarityLoss", {}).value(equal, ones), 0, 1e-14);
  EXPECT_NEAR(Fixture("CosineSimilarityLoss", {}).value(opposite, ones * 0.5), 2.25, 1e-14);
  EXPECT_EQ(Fixture("CoSENTLoss", {}).value(equal, ones), 0);                            // no pair is ordered
  const at::Tensor two = at::cat({equal.narrow(1, 0, 1), opposite.narrow(1, 0, 1)}, 1);  // cosines 1 and -1
  const at::Tensor rising = at::eye(2, at::kDouble)[1];
  EXPECT_NEAR(Fixture("CoSENTLoss", {{"scale", 2.0}}).value(two, rising), std::log1p(std::exp(4.0)), 1e-12);
  EXPECT_NEAR(Fixture("CoSENTLoss", {{"scale", 2.0}}).value(two, 1 - rising), std::log1p(std::exp(-4.0)), 1e-12);
  Fixture softmax("SoftmaxLoss", {{"numLabels", 3.0}});
  softmax.parameters.flat().zero_();
  EXPECT_NEAR(softmax.value(equal, classes(2)), std::log(3.0), 1e-14);
}

TEST(Losses, SoftmaxOwnsAClassifierThatTheSeedMakes) {
  Fixture a("SoftmaxLoss", {{"numLabels", 3.0}}), b("SoftmaxLoss", {{"numLabels", 3.0}});
  const std::vector<TensorInfo> tensors = a.parameters.layout.tensors();
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors[0].name, "loss.classifier.weight");
  EXPECT_EQ(tensors[0].shape, (std::vector<int64_t>{3, 3 * kWidth}));
  EXPECT_EQ(tensors[0].group, Group::kDecay);
  EXPECT_EQ(tensors[1].shape, (std::vector<int64_t>{3}));
  EXPECT_EQ(tensors[1].group, Group::kNoDecay);
  EXPECT_TRUE(same_bits(a.parameters.flat(), b.parameters.flat()));
  b.loss->initialize(b.parameters, 2);
  EXPECT_FALSE(same_bits(a.parameters.flat(), b.parameters.flat()));
  const double bound = 1 / std::sqrt(18.0), largest = a.parameters.flat().abs().max().item<double>();
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, 0.8 * bound);
}

TEST(Losses, BatchesThatDoNotFitAreRefused) {
  const at::Tensor two = random_tensor({2, kRows, kWidth}, at::kDouble, 1),
                   three = random_tensor({3, kRows, kWidth}, at::kDouble, 1);
  const at::Tensor numbers = scores(2), labels = classes(2);
  const auto refused = [](const std::string& type, const std::string& message, const at::Tensor& embeddings,
                          const at::Tensor& given) {
    const Config::Object options = type == "SoftmaxLoss" ? Config::Object{{"numLabels", 3.0}} : Config::Object{};
    expect_error("ERR_INVALID_DATA", message, [&] { Fixture(type, options).value(embeddings, given); });
  };
  refused("MultipleNegativesRankingLoss", "takes 2 or more text columns but the batch has 1", two.narrow(0, 0, 1), {});
  refused("MarginMSELoss", "takes 3 or more text columns but the batch has 2", two, numbers);
  refused("MarginMSELoss", "needs 5 labels of 1 margins or of 2 scores", three, numbers.unsqueeze(1).repeat({1, 3}));
  refused("MarginMSELoss", "needs a label for each row", three, {});
  refused("DistillKLDivLoss", "needs 5 labels of 2 scores, one for each candidate, but found the shape [5]", three,
          numbers);
  refused("EmbedDistillLoss", "labels of the shape [5, 6] or [5, 2, 6], embeddings of a teacher, but found [5]", two,
          numbers);
  refused("MSELoss", "but found [5, 4]; projectionDim is for a teacher of another width", two,
          numbers.unsqueeze(1).repeat({1, 4}));
  refused("MSELoss", "needs a teacher's embedding as label of each row", two, {});
  refused("MegaBatchMarginLoss", "takes 2 text columns but the batch has 3", three, {});
  refused("TripletLoss", "takes 3 text columns but the batch has 2", two, {});
  refused("AnglELoss", "needs a label for each row, but the batch has none", two, {});
  refused("BatchAllTripletLoss", "takes 1 text columns but the batch has 2", two, labels);
  refused("BatchAllTripletLoss", "needs integer labels", two.narrow(0, 0, 1), numbers);
  for (const char* type :
       {"CoSENTLoss", "CosineSimilarityLoss", "SoftmaxLoss", "ContrastiveLoss", "OnlineContrastiveLoss"}) {
    refused(type, "takes 2 text columns but the batch has 3", three, labels);
    refused(type, "needs a label for each row, but the batch has none", two, {});
    refused(type, "needs 5 labels, one for each row, but found 4", two, labels.narrow(0, 0, 4));
    refused(type, "needs 5 labels", two, labels.unsqueeze(1));
  }
  refused("SoftmaxLoss", "needs integer labels", two, numbers);
  refused("SoftmaxLoss", "labels from 0 to 2, but found 3", two, labels + 1);
  refused("SoftmaxLoss", "labels from 0 to 2, but found -1", two, labels - 1);
}

TEST(Losses, OptionsThatAreNotKnownAreRefused) {
  for (const LossCase& c : loss_cases()) {
    Config::Object options = c.options;
    options["scales"] = 1.0;
    expect_error("ERR_UNKNOWN_OPTION", c.type + " has no option scales", [&] { Fixture(c.type, options); });
  }
  const std::string mnr = "MultipleNegativesRankingLoss";
  expect_error("ERR_INVALID_ARGUMENT", "cosine or dot for similarity but found l2",
               [&] { Fixture(mnr, {{"similarity", text("l2")}}); });
  for (const char* type : {"TripletLoss", "ContrastiveLoss", "OnlineContrastiveLoss", "BatchHardTripletLoss"}) {
    expect_error("ERR_INVALID_ARGUMENT", "for distanceMetric but found l3",
                 [&] { Fixture(type, {{"distanceMetric", text("l3")}}); });
  }
  expect_error("ERR_INVALID_ARGUMENT", "for similarity but found l3",
               [] { Fixture("CoSENTLoss", {{"similarity", text("l3")}}); });
  expect_error("ERR_INVALID_ARGUMENT", "for distanceMetric but found l3",
               [] { Fixture("EmbedDistillLoss", {{"distanceMetric", text("l3")}}); });
  expect_error("ERR_INVALID_ARGUMENT", "at least 1 for projectionDim but found 0",
               [] { Fixture("MSELoss", {{"projectionDim", 0.0}}); });
  expect_error("ERR_INVALID_ARGUMENT", "positive temperatures but found 0",
               [] { Fixture("DistillKLDivLoss", {{"studentTemperature", 0.0}}); });
  expect_error("ERR_INVALID_ARGUMENT", "must differ from 0", [] {
    Fixture("GlobalOrthogonalRegularizationLoss", {{"meanWeight", 0.0}, {"secondMomentWeight", 0.0}});
  });
  expect_error("ERR_NOT_IMPLEMENTED", "cosScoreTransformation is not built",
               [] { Fixture("CosineSimilarityLoss", {{"cosScoreTransformation", text("cube")}}); });
  expect_error("ERR_INVALID_ARGUMENT", "numLabels", [] { Fixture("SoftmaxLoss", {}); });
  expect_error("ERR_INVALID_ARGUMENT", "at least 1 for numLabels but found 0",
               [] { Fixture("SoftmaxLoss", {{"numLabels", 0.0}}); });
  expect_error("ERR_INVALID_ARGUMENT", "at least one of its three concatenations", [] {
    Fixture("SoftmaxLoss",
            {{"numLabels", 2.0}, {"concatenationSentRep", false}, {"concatenationSentDifference", false}});
  });
}

}  // namespace

}  // namespace st::test
