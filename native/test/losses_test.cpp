// Every loss of the registry: gradients against central differences in float64, and values.
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "loss_cases.h"

namespace st::test {

namespace {

TEST(Losses, RegistryIsCovered) {
  std::string known;
  try {
    LossFixture("NoLoss", {});
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
    covered.insert(name);               // language_model_test.cpp
  covered.insert("TokenCrossEntropy");  // needs a decoder: test/parity/seq2seq.test.ts
  EXPECT_EQ(registered, covered);
}

TEST(Differences, Losses) {
  for (const LossCase& c : loss_cases()) {
    for (int64_t columns : c.columns) {
      LossFixture fixture(c.type, c.options);
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
        LossFixture fixture(c.type, c.options);
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
  EXPECT_NEAR(LossFixture("MultipleNegativesRankingLoss", {{"scale", 2.0}}).value(equal, {}),
              std::log1p(4 * std::exp(-2.0)), 1e-14);
  EXPECT_NEAR(
      LossFixture("MultipleNegativesRankingLoss", {{"scale", 2.0}, {"similarity", text("dot")}}).value(equal, {}),
      std::log1p(4 * std::exp(-6.0)), 1e-14);
  // Hard negatives that equal the positives: twice as many candidates, two of them right.
  EXPECT_NEAR(LossFixture("MultipleNegativesRankingLoss", {{"scale", 2.0}}).value(at::stack({unit, unit, unit}), {}),
              std::log(2 + 8 * std::exp(-2.0)), 1e-14);
  EXPECT_NEAR(LossFixture("CosineSimilarityLoss", {}).value(equal, ones), 0, 1e-14);
  EXPECT_NEAR(LossFixture("CosineSimilarityLoss", {}).value(opposite, ones * 0.5), 2.25, 1e-14);
  EXPECT_EQ(LossFixture("CoSENTLoss", {}).value(equal, ones), 0);                        // no pair is ordered
  const at::Tensor two = at::cat({equal.narrow(1, 0, 1), opposite.narrow(1, 0, 1)}, 1);  // cosines 1 and -1
  const at::Tensor rising = at::eye(2, at::kDouble)[1];
  EXPECT_NEAR(LossFixture("CoSENTLoss", {{"scale", 2.0}}).value(two, rising), std::log1p(std::exp(4.0)), 1e-12);
  EXPECT_NEAR(LossFixture("CoSENTLoss", {{"scale", 2.0}}).value(two, 1 - rising), std::log1p(std::exp(-4.0)), 1e-12);
  LossFixture softmax("SoftmaxLoss", {{"numLabels", 3.0}});
  softmax.parameters.flat().zero_();
  EXPECT_NEAR(softmax.value(equal, classes(2)), std::log(3.0), 1e-14);
}

// A distribution has the loss of its classes, weighted by it.
TEST(Losses, SoftmaxTakesProbabilitiesOfTheClasses) {
  const at::Tensor x = random_tensor({2, kRows, kWidth}, at::kDouble, 2);
  LossFixture softmax("SoftmaxLoss", {{"numLabels", 3.0}});
  const at::Tensor none = at::zeros({kRows}, at::kLong);
  const at::Tensor probabilities = at::zeros({kRows, 3}, at::kDouble);
  probabilities.select(1, 0).fill_(0.25);
  probabilities.select(1, 2).fill_(0.75);
  EXPECT_NEAR(softmax.value(x, probabilities), 0.25 * softmax.value(x, none) + 0.75 * softmax.value(x, none + 2),
              1e-14);
}

// Where one pair of a kind is there, it is the farthest or the closest.
TEST(Losses, OnlineContrastiveComparesWithTheOtherKindEvenWhereItIsOnePair) {
  // Distances of the pairs: 1 - cosines.
  const auto loss = [](const std::vector<double>& distances, const std::vector<double>& labels) {
    const auto rows = static_cast<int64_t>(distances.size());
    const at::Tensor x = at::zeros({2, rows, kWidth}, at::kDouble), y = at::zeros({rows}, at::kDouble);
    for (int64_t i = 0; i < rows; ++i) {
      const double cosine = 1 - distances[static_cast<size_t>(i)];
      x[0][i][0] = 1;
      x[1][i][0] = cosine;
      x[1][i][1] = std::sqrt(1 - cosine * cosine);
      y[i] = labels[static_cast<size_t>(i)];
    }
    return LossFixture("OnlineContrastiveLoss", {}).value(x, y);
  };
  EXPECT_NEAR(loss({0.3, 0.2}, {1, 0}), 0.09 + 0.09, 1e-12);
  EXPECT_NEAR(loss({0.2, 0.3}, {1, 0}), 0, 1e-12);
  EXPECT_NEAR(loss({0.1, 0.3, 0.5, 0.25}, {1, 1, 1, 0}), 0.09 + 0.25 + 0.0625, 1e-12);
  EXPECT_NEAR(loss({0.1, 0.2, 0.5}, {1, 1, 1}), 0.25, 1e-12);  // above their mean
}

TEST(Losses, SoftmaxOwnsAClassifierThatTheSeedMakes) {
  LossFixture a("SoftmaxLoss", {{"numLabels", 3.0}}), b("SoftmaxLoss", {{"numLabels", 3.0}});
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

}  // namespace

}  // namespace st::test
