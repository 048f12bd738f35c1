#include "ops/vocabulary_pool.h"

#include <torch/csrc/autograd/autograd.h>

#include "core/workspace.h"
#include "ops/linear.h"
#include "support.h"

namespace st::test {

namespace {

constexpr int64_t kWidth = 9;
const std::vector<int32_t> kOffsets = {0, 1, 4, 11, 13};

VocabularyLayer layer_of(int64_t words, int64_t tokens, at::ScalarType type, bool with_bias, int64_t width = kWidth) {
  return {random_tensor({tokens, width}, type, 1), random_tensor({words, width}, type, 2),
          with_bias ? random_tensor({words}, type, 3) : at::Tensor()};
}

struct Result {
  at::Tensor value;
  std::vector<at::Tensor> gradients;
};

template <typename Pool>
Result run(const Pool& pool, const VocabularyLayer& layer, uint64_t seed) {
  std::vector<at::Tensor> all;
  const auto leaf = [&all](const at::Tensor& of) {
    if (!of.defined()) return of;
    all.push_back(of.detach().clone().requires_grad_(true));
    return all.back();
  };
  const VocabularyLayer leaves{leaf(layer.x_TD), leaf(layer.weight_VD), leaf(layer.bias_V)};
  const at::Tensor value = pool(leaves);
  return {value.detach(),
          torch::autograd::grad({value}, all, {random_tensor(value.sizes(), value.scalar_type(), seed)})};
}

void expect_same(const VocabularyLayer& layer, const std::vector<int32_t>& offsets, const VocabularyPool& pool,
                 double tolerance) {
  const Result own = run([&](const VocabularyLayer& one) { return vocabulary_pool(one, offsets, pool); }, layer, 4);
  const Result expected =
      run([&](const VocabularyLayer& one) { return reference::vocabulary_pool(one, offsets, pool); }, layer, 4);
  expect_close(own.value, expected.value, tolerance, "value");
  for (size_t i = 0; i < expected.gradients.size(); ++i) {
    expect_close(own.gradients[i], expected.gradients[i], tolerance, "gradient " + std::to_string(i));
  }
  EXPECT_TRUE(same_bits(vocabulary_pool(layer, offsets, pool), own.value));
}

const std::vector<VocabularyPool> kPools = {{false, false}, {false, true}, {true, false}, {true, true}};

}  // namespace

TEST(VocabularyPool, IsThatOfWholeLogits) {
  for (const VocabularyPool& pool : kPools) {
    for (const bool with_bias : {true, false}) {
      expect_same(layer_of(37, 13, at::kDouble, with_bias), kOffsets, pool, 1e-13);
    }
  }
}

// Pieces of the vocabulary with a rest, blocks of tokens that cut rows, and more tokens than are computed at once.
TEST(VocabularyPool, KernelsGiveTheSame) {
  for (const int threads : {1, 2}) {
    const Threads set(threads);
    expect_same(layer_of(2500, 13, at::kFloat, true, 80), kOffsets, {}, 1e-5);
    expect_same(layer_of(2500, 13, at::kFloat, false, 80), kOffsets, {.twice = true}, 1e-5);
    expect_same(layer_of(1100, 2500, at::kFloat, true, 64), {0, 1, 700, 2499, 2500}, {}, 1e-5);
    expect_same(layer_of(1100, 300, at::kFloat, true, 64), {0, 200, 300}, {.sum = true}, 1e-5);
  }
}

TEST(VocabularyPool, ReadsAPackedWeight) {
  const VocabularyLayer layer = layer_of(1100, 100, at::kFloat, true, 64);
  const std::vector<int32_t> offsets = {0, 60, 100};
  Workspace workspace(at::kCPU);
  const at::Tensor packed = pack_weight(layer.weight_VD, 100, workspace);
  EXPECT_TRUE(same_bits(vocabulary_pool(layer, offsets, {}, packed), vocabulary_pool(layer, offsets, {})));
}

TEST(VocabularyPool, HasTheGradientsOfFiniteDifferences) {
  for (const VocabularyPool& pool : kPools) {
    const VocabularyLayer layer = layer_of(7, 13, at::kDouble, true);
    expect_autograd(
        [&](const std::vector<at::Tensor>& of) { return vocabulary_pool({of[0], of[1], of[2]}, kOffsets, pool); },
        {layer.x_TD, layer.weight_VD, layer.bias_V}, "vocabulary pool");
  }
}

TEST(VocabularyPool, OnlyWantedGradients) {
  for (const VocabularyPool& pool : kPools) {
    const VocabularyLayer layer = layer_of(7, 13, at::kDouble, false);
    layer.x_TD.requires_grad_(true);
    const auto d = [&](const at::Tensor& value) { return torch::autograd::grad({value.sum()}, {layer.x_TD})[0]; };
    expect_close(d(vocabulary_pool(layer, kOffsets, pool)), d(reference::vocabulary_pool(layer, kOffsets, pool)), 1e-13,
                 "x");
  }
}

TEST(VocabularyPool, RefusesEmptyRowsAndOtherOffsets) {
  const VocabularyLayer layer = layer_of(7, 13, at::kDouble, true);
  expect_error("ERR_INVALID_ARGUMENT", "a token in row 1", [&] { vocabulary_pool(layer, {0, 4, 4, 13}, {}); });
  expect_error("ERR_INVALID_ARGUMENT", "from 0 to 13", [&] { vocabulary_pool(layer, {0, 4, 12}, {}); });
}

}  // namespace st::test
