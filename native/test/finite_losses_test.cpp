// Whatever finite embeddings a loss gets, its value and its gradients are finite.
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "loss_cases.h"
#include "ops/similarity.h"

namespace st::test {

namespace {

// What batches may hold beside ordinary rows.
std::vector<std::pair<std::string, at::Tensor>> odd_batches(int64_t columns) {
  const at::Tensor plain = random_tensor({columns, kRows, kWidth}, at::kDouble, 2);
  const at::Tensor zero_row = plain.clone(), equal_texts = plain.clone();
  zero_row.select(1, 1).zero_();
  equal_texts.select(1, 1).copy_(plain[0][0].expand({columns, kWidth}));
  return {{"a zero row", zero_row},
          {"equal texts in a row", equal_texts},
          {"equal columns", plain.narrow(0, 0, 1).expand({columns, kRows, kWidth}).contiguous()},
          {"equal rows", plain.narrow(1, 0, 1).expand({columns, kRows, kWidth}).contiguous()},
          {"all zero", at::zeros_like(plain)},
          {"long rows", plain * 1e6},
          {"one row", plain.narrow(1, 0, 1).contiguous()}};
}

TEST(Losses, AreFiniteForAllFiniteEmbeddings) {
  for (const LossCase& c : loss_cases()) {
    for (int64_t columns : c.columns) {
      for (const auto& [kind, embeddings] : odd_batches(columns)) {
        const std::string where = c.type + " of " + std::to_string(columns) + " columns, " + kind;
        LossFixture fixture(c.type, c.options);
        at::Tensor labels = c.labels(columns);
        if (labels.defined()) labels = labels.narrow(0, 0, embeddings.size(1));
        std::vector<at::Tensor> leaves = fixture.values();
        leaves.insert(leaves.begin(), embeddings);
        for (at::Tensor& leaf : leaves) leaf = leaf.detach().requires_grad_(true);
        const at::Tensor value =
            fixture.forward(leaves[0], labels, std::vector<at::Tensor>(leaves.begin() + 1, leaves.end()), c.complete);
        EXPECT_TRUE(std::isfinite(value.item<double>())) << where << ": " << value.item<double>();
        if (!value.requires_grad()) continue;
        for (const at::Tensor& gradient : torch::autograd::grad({value}, leaves, {}, std::nullopt, false, true)) {
          if (gradient.defined()) EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << where << ": the gradient";
        }
      }
    }
  }
}

// Of a pair of rows: the similarity, and its gradient for both.
std::vector<at::Tensor> similarity_at(const std::string& name, const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.detach().requires_grad_(true), y = b.detach().requires_grad_(true);
  const at::Tensor value = parse_pair_similarity(name)(x, y);
  std::vector<at::Tensor> out = torch::autograd::grad({value.sum()}, {x, y});
  out.push_back(value.detach());
  return out;
}

TEST(Similarity, EqualRowsAndZeroRowsHaveAGradient) {
  const at::Tensor a = random_tensor({1, 5}, at::kDouble, 1), zero = at::zeros({1, 5}, at::kDouble);
  for (const at::Tensor& found : similarity_at("euclidean", a, a)) EXPECT_TRUE(found.eq(0).all().item<bool>());
  for (const at::Tensor& found : similarity_at("angle", zero, zero)) EXPECT_TRUE(found.eq(0).all().item<bool>());
  for (const at::Tensor& found : similarity_at("angle", a, zero)) EXPECT_TRUE(found.isfinite().all().item<bool>());
  EXPECT_EQ(similarity_at("angle", a, zero)[2].item<double>(), 0);
}

// (1 + 2i) / (3 + 4i) = (11 + 2i) / 25, divided by the quotient of the lengths, sqrt(5) / 5.
TEST(Similarity, AngleIsTheSumOfBothPartsOfAQuotient) {
  const auto row = [](double first, double second) {
    const at::Tensor out = at::zeros({1, 2}, at::kDouble);
    out[0][0] = first;
    out[0][1] = second;
    return out;
  };
  EXPECT_NEAR(similarity_at("angle", row(1, 2), row(3, 4))[2].item<double>(), 13 / (5 * std::sqrt(5.0)), 1e-14);
  EXPECT_NEAR(similarity_at("angle", row(-1, -2), row(3, 4))[2].item<double>(), 13 / (5 * std::sqrt(5.0)), 1e-14);
}

// The row of equal texts has the loss margin - d(a, n) and a gradient for the negative's distance alone.
TEST(TripletLoss, LearnsFromARowWhoseAnchorIsItsPositive) {
  const at::Tensor x = random_tensor({3, 1, kWidth}, at::kDouble, 3);
  x[1].copy_(x[0]);
  const at::Tensor leaf = x.clone().requires_grad_(true);
  const LossFixture fixture("TripletLoss", {});
  const at::Tensor value = fixture.forward(leaf, {}, {});
  const at::Tensor apart = (x[0] - x[2]).squeeze(0);
  const double distance = std::sqrt(apart.dot(apart).item<double>());
  EXPECT_NEAR(value.item<double>(), 5 - distance, 1e-14);
  const at::Tensor gradient = torch::autograd::grad({value}, {leaf})[0];
  expect_close(gradient[2][0], apart / distance, 1e-14, "the negative");
  expect_close(gradient[0][0], -apart / distance, 1e-14, "the anchor");
  EXPECT_EQ(gradient[1].abs().max().item<double>(), 0);
}

TEST(BatchHardSoftMarginTripletLoss, IsALineWhereDistancesAreLarge) {
  // Points on a line at 0 and 3000 of one class, at 1000 of the other: 3000 - 1000, 3000 - 2000, and no positive.
  const at::Tensor x = at::zeros({1, 3, kWidth}, at::kFloat), labels = at::zeros({3}, at::kLong);
  x[0][1][0] = 3000;
  x[0][2][0] = 1000;
  labels[2] = 1;
  const LossFixture fixture("BatchHardSoftMarginTripletLoss", {});
  EXPECT_NEAR(fixture.forward(x, labels, {}).item<double>(), (2000 + 1000) / 3.0, 1e-3);
}

TEST(GlobalOrthogonalRegularizationLoss, HasNothingToLearnFromOneRow) {
  const at::Tensor leaf = random_tensor({2, 1, kWidth}, at::kDouble, 4).requires_grad_(true);
  const at::Tensor value = LossFixture("GlobalOrthogonalRegularizationLoss", {}).forward(leaf, {}, {});
  EXPECT_EQ(value.item<double>(), 0);
  EXPECT_EQ(torch::autograd::grad({value}, {leaf})[0].abs().max().item<double>(), 0);
}

}  // namespace

}  // namespace st::test
