// Losses that sort a batch instead of comparing all of its rows: against the comparisons written out, and with batches
// whose pairs or triplets would not fit into memory.
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "loss_cases.h"
#include "losses/batch_triplets.h"
#include "losses/cosent.h"

namespace st::test {

namespace {

at::Tensor integers(const std::vector<int64_t>& values) {
  const at::Tensor out = at::zeros({static_cast<int64_t>(values.size())}, at::kLong);
  std::copy(values.begin(), values.end(), out.data_ptr<int64_t>());
  return out;
}

using Function = std::function<at::Tensor(const at::Tensor&)>;

// `ties`: of equal terms a minimum takes one, and another its mean, so that gradients of rows differ.
void expect_same(const Function& actual, const Function& expected, const at::Tensor& x, const std::string& what,
                 bool ties = false) {
  const at::Tensor leaf = x.detach().requires_grad_(true);
  const at::Tensor a = actual(leaf), b = expected(leaf);
  EXPECT_NEAR(a.item<double>(), b.item<double>(), 1e-12 * std::max(1.0, std::abs(b.item<double>()))) << what;
  if (ties) return;
  const at::Tensor d_a = torch::autograd::grad({a}, {leaf})[0];
  const at::Tensor d_b = b.requires_grad() ? torch::autograd::grad({b}, {leaf})[0] : at::zeros_like(leaf);
  EXPECT_LE((d_a - d_b).abs().max().item<double>(), 1e-11 * std::max(1.0, d_b.abs().max().item<double>())) << what;
}

// log(1 + sum of exp(s_i - s_j) over the pairs with y_i < y_j), pair by pair.
at::Tensor cosent_of_pairs(const at::Tensor& scores_B, const at::Tensor& labels_B) {
  at::Tensor sum = at::ones({}, scores_B.options());
  for (int64_t i = 0; i < scores_B.size(0); ++i) {
    for (int64_t j = 0; j < scores_B.size(0); ++j) {
      if ((labels_B[i] < labels_B[j]).item<bool>()) sum = sum + at::exp(scores_B[i] - scores_B[j]);
    }
  }
  return sum.log();
}

TEST(CoSENT, IsTheSumOverPairs) {
  const at::Tensor tied = integers({3, 1, 1, 2, 3, 0, 2, 2}), scores = random_tensor({8}, at::kDouble, 1, 6);
  const at::Tensor rising = integers({0, 1, 2, 3, 4, 5, 6, 7});
  for (const auto& [what, labels] :
       std::vector<std::pair<std::string, at::Tensor>>{{"ties", tied},
                                                       {"ties of numbers", tied.to(at::kDouble) / 3},
                                                       {"rising", rising},
                                                       {"falling", 7 - rising},
                                                       {"all equal", at::zeros({8}, at::kDouble)}}) {
    expect_same([&labels = labels](const at::Tensor& x) { return cosent(x, labels); },
                [&labels = labels](const at::Tensor& x) { return cosent_of_pairs(x, labels); }, scores, what);
  }
  expect_same([](const at::Tensor& x) { return cosent(x, at::zeros({1}, at::kDouble)); },
              [](const at::Tensor& x) { return x.sum() * 0; }, scores.narrow(0, 0, 1), "one row");
  expect_autograd([&](const std::vector<at::Tensor>& in) { return cosent(in[0], tied); }, {scores}, "cosent");
}

// Each of the pairs has the term 1. Held one by one they would take 32 GB.
TEST(CoSENT, HoldsNoPairs) {
  constexpr int64_t kMany = 60000;
  const at::Tensor leaf = at::ones({kMany}, at::kDouble).requires_grad_(true);
  at::Tensor labels = at::zeros({kMany}, at::kDouble);
  for (int64_t i = 0; i < kMany; ++i) labels.data_ptr<double>()[i] = static_cast<double>((i * 7919) % kMany);
  const at::Tensor value = cosent(leaf, labels);
  const double pairs = static_cast<double>(kMany) * (kMany - 1) / 2;
  EXPECT_NEAR(value.item<double>(), std::log1p(pairs), 1e-10);
  // The row with the lowest label has the term +1 in kMany - 1 pairs, that with the highest -1.
  const at::Tensor gradient = torch::autograd::grad({value}, {leaf})[0];
  EXPECT_NEAR(gradient.max().item<double>() * (1 + pairs), kMany - 1, 1e-4);
  EXPECT_NEAR(gradient.min().item<double>() * (1 + pairs), 1 - kMany, 1e-4);
}

// Euclidean distances of the rows of [B, D], with the gradient 0 where they are 0.
at::Tensor distances_of(const at::Tensor& x_BD, bool cosine) {
  std::vector<at::Tensor> rows;
  for (int64_t i = 0; i < x_BD.size(0); ++i) {
    const at::Tensor row = x_BD.narrow(0, i, 1);
    rows.push_back(cosine ? 1 - at::cosine_similarity(row, x_BD) : (row - x_BD).norm(2, -1));
  }
  return at::stack(rows);
}

struct Triplet {
  at::Tensor positive, negatives;  // d(a, p); d(a, n) of all n, in the order of the rows
};

// Of every anchor and each of its positives.
std::vector<Triplet> triplets_of(const at::Tensor& distances_BB, const at::Tensor& labels_B) {
  std::vector<Triplet> out;
  const int64_t* labels = labels_B.data_ptr<int64_t>();
  for (int64_t a = 0; a < labels_B.size(0); ++a) {
    const at::Tensor negatives = distances_BB[a].masked_select(labels_B != labels[a]);
    for (int64_t p = 0; p < labels_B.size(0); ++p) {
      if (p != a && labels[p] == labels[a]) out.push_back({distances_BB[a][p], negatives});
    }
  }
  return out;
}

at::Tensor all_triplets(const at::Tensor& distances_BB, const at::Tensor& labels_B, double margin) {
  at::Tensor sum = at::zeros({}, distances_BB.options());
  int64_t count = 0;
  for (const auto& [positive, negatives] : triplets_of(distances_BB, labels_B)) {
    const at::Tensor losses = at::relu(positive - negatives + margin);
    count += (losses > 0).sum().item<int64_t>();
    sum = sum + losses.sum();
  }
  return sum / std::max<int64_t>(count, 1);
}

at::Tensor semi_hard_triplets(const at::Tensor& distances_BB, const at::Tensor& labels_B, double margin) {
  at::Tensor sum = at::zeros({}, distances_BB.options());
  const std::vector<Triplet> triplets = triplets_of(distances_BB, labels_B);
  for (const auto& [positive, negatives] : triplets) {
    const at::Tensor farther = negatives.masked_select(negatives > positive);
    // Without any negative the distance of the anchor from itself stands for it.
    const at::Tensor chosen = farther.numel() > 0     ? farther.min()
                              : negatives.numel() > 0 ? negatives.max()
                                                      : at::zeros({}, sum.options());
    sum = sum + at::relu(positive - chosen + margin);
  }
  return sum / std::max<int64_t>(static_cast<int64_t>(triplets.size()), 1);
}

using Written = at::Tensor (*)(const at::Tensor&, const at::Tensor&, double);
const std::vector<std::pair<std::string, Written>> kTripletLosses = {{"BatchAllTripletLoss", all_triplets},
                                                                     {"BatchSemiHardTripletLoss", semi_hard_triplets}};

TEST(BatchTriplets, AreThoseWrittenOut) {
  // Sixteenths, whose products are exact: equal rows have the distance 0.
  const at::Tensor x = (random_tensor({12, kWidth}, at::kDouble, 5) * 16).round() / 16, repeated = x.clone();
  repeated[3].copy_(x[0]);  // of one class
  repeated[7].copy_(x[0]);  // of another
  const at::Tensor four = integers({0, 1, 2, 0, 1, 2, 3, 1, 0, 2, 2, 0}), same = at::zeros({12}, at::kLong);
  const at::Tensor distinct = integers({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  for (const auto& [type, written] : kTripletLosses) {
    for (const bool cosine : {false, true}) {
      // Margins that all triplets are within, and that few are.
      for (const double margin : {5.0, 0.05}) {
        const LossFixture fixture(type,
                                  {{"margin", margin}, {"distanceMetric", text(cosine ? "cosine" : "euclidean")}});
        const auto same_as = [&, written = written](const at::Tensor& rows, const at::Tensor& labels,
                                                    const std::string& what) {
          expect_same([&](const at::Tensor& leaf) { return fixture.forward(leaf.unsqueeze(0), labels, {}); },
                      [&](const at::Tensor& leaf) { return written(distances_of(leaf, cosine), labels, margin); }, rows,
                      type + ", " + what + (cosine ? ", cosine, " : ", ") + std::to_string(margin),
                      what == "equal rows");
        };
        same_as(x, four, "four classes");
        same_as(x, same, "one class");
        same_as(x, distinct, "a class for each row");
        same_as(x.narrow(0, 0, 1), distinct.narrow(0, 0, 1), "one row");
        same_as(x.narrow(0, 0, 2), same.narrow(0, 0, 2), "two rows");
        if (!cosine) same_as(repeated, four, "equal rows");
      }
    }
  }
}

// Held one by one, the triplets of 1500 rows take 27 GB for each of their terms.
TEST(BatchTriplets, HoldNoTriplets) {
  constexpr int64_t kMany = 1500;
  const at::Tensor x = random_tensor({kMany, kWidth}, at::kDouble, 6), labels = at::zeros({kMany}, at::kLong);
  for (int64_t i = 0; i < kMany; ++i) labels.data_ptr<int64_t>()[i] = i % (kMany / 3);
  const at::NoGradGuard no_grad;
  for (const auto& [type, written] : kTripletLosses) {
    const LossFixture fixture(type, {{"margin", 0.5}});
    EXPECT_NEAR(fixture.forward(x.unsqueeze(0), labels, {}).item<double>(),
                written(distances_of(x, false), labels, 0.5).item<double>(), 1e-10)
        << type;
  }
}

// What an order would drop has to come out.
TEST(BatchTriplets, WhatIsNotFiniteComesOutOfEveryRow) {
  const at::Tensor labels = integers({0, 1, 0, 2});
  for (const auto& [type, written] : kTripletLosses) {
    for (int64_t row = 0; row < 4; ++row) {
      const at::Tensor x = random_tensor({1, 4, kWidth}, at::kDouble, 7);
      x[0][row][0] = std::nan("");
      EXPECT_TRUE(std::isnan(LossFixture(type, {}).forward(x, labels, {}).item<double>())) << type << ", row " << row;
    }
  }
}

}  // namespace

}  // namespace st::test
