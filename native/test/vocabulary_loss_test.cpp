#include "ops/vocabulary_loss.h"

#include <ATen/ops/randint.h>
#include <torch/csrc/autograd/autograd.h>

#include "support.h"

namespace st::test {

namespace {

using Loss = at::Tensor (*)(const VocabularyLayer& layer, const at::Tensor& labels_T);

struct Result {
  at::Tensor loss;
  std::vector<at::Tensor> gradients;
};

Result run(Loss loss, const VocabularyLayer& layer, const at::Tensor& labels_T, double scale) {
  VocabularyLayer leaves;
  std::vector<at::Tensor> all;
  const auto leaf = [&all](const at::Tensor& of) {
    if (!of.defined()) return of;
    all.push_back(of.detach().clone().requires_grad_(true));
    return all.back();
  };
  leaves = {leaf(layer.x_TD), leaf(layer.weight_VD), leaf(layer.bias_V)};
  const at::Tensor value = loss(leaves, labels_T);
  return {value.detach(), torch::autograd::grad({value * scale}, all)};
}

// Vocabularies of one block, and of several with a rest.
TEST(VocabularyLoss, IsThatOfWholeLogits) {
  for (const int64_t vocabulary : {7, 3'000'000}) {
    for (const bool with_bias : {true, false}) {
      constexpr int64_t kTokens = 13, kWidth = 3;
      const VocabularyLayer layer{random_tensor({kTokens, kWidth}, at::kDouble, 1),
                                  random_tensor({vocabulary, kWidth}, at::kDouble, 2),
                                  with_bias ? random_tensor({vocabulary}, at::kDouble, 3) : at::Tensor()};
      const at::Tensor labels_T = at::randint(vocabulary, {kTokens}, at::kLong);
      const Result own = run(vocabulary_loss, layer, labels_T, 0.7),
                   expected = run(reference::vocabulary_loss, layer, labels_T, 0.7);
      expect_close(own.loss, expected.loss, 1e-13, "loss");
      for (size_t i = 0; i < expected.gradients.size(); ++i) {
        expect_close(own.gradients[i], expected.gradients[i], 1e-11, "gradient " + std::to_string(i));
      }
      // Without gradients the value is the same.
      EXPECT_TRUE(same_bits(vocabulary_loss(layer, labels_T), own.loss));
    }
  }
}

TEST(VocabularyLoss, OnlyWantedGradients) {
  const at::Tensor x_TD = random_tensor({4, 3}, at::kDouble, 1).requires_grad_(true);
  const at::Tensor weight_VD = random_tensor({5, 3}, at::kDouble, 2), labels_T = at::randint(5, {4}, at::kLong);
  const auto d = [&](Loss loss) { return torch::autograd::grad({loss({x_TD, weight_VD, {}}, labels_T)}, {x_TD})[0]; };
  expect_close(d(vocabulary_loss), d(reference::vocabulary_loss), 1e-13, "x");
}

TEST(VocabularyLoss, NeedsALabelForEachToken) {
  expect_error("ERR_INVALID_ARGUMENT", "a label for each of 4 tokens, found 3", [] {
    vocabulary_loss({random_tensor({4, 3}, at::kDouble, 1), random_tensor({5, 3}, at::kDouble, 2), {}},
                    at::randint(5, {3}, at::kLong));
  });
}

}  // namespace

}  // namespace st::test
