// The kernels that sum over rows against their references: pooling and lengths of rows.
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "ops/pooling.h"
#include "ops/row_means.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

const std::vector<int64_t> kWidths = {1, 17, 100, 384, 768};

const std::vector<std::vector<std::string>> kModes = {
    {"mean"},      {"mean_sqrt_len_tokens"}, {"weightedmean"},      {"max"}, {"cls"},
    {"lasttoken"}, {"mean", "max", "cls"},   {"max", "mean", "max"}};

TEST(Kernels, PoolingAndItsGradient) {
  // So many rows that threads share them.
  std::vector<int> lengths = {1, 2, 15, 40, 3, 7};
  for (int i = 0; i < 90; ++i) lengths.push_back(1 + i % 11);
  PackedBatch batch = batch_of(lengths);
  batch.prompt_lengths = {1, 1, 4, 40, 0, 2};
  batch.prompt_lengths.resize(lengths.size(), 2);
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    const double tolerance = type == at::kDouble ? 1e-14 : 1e-6;
    for (int64_t width : kWidths) {
      const at::Tensor x = random_tensor({batch.tokens(), width}, type, 1);
      for (const std::vector<std::string>& modes : kModes) {
        for (bool include_prompt : {true, false}) {
          SCOPED_TRACE(modes[0] + ", " + std::to_string(modes.size()) + " modes, width " + std::to_string(width));
          const at::Tensor leaf = x.detach().requires_grad_(true), twin = x.detach().requires_grad_(true);
          const at::Tensor expected = reference::pool(twin, batch, modes, include_prompt);
          const at::Tensor followed = pool(leaf, batch, modes, include_prompt);
          expect_close(followed.detach(), expected.detach(), tolerance, "pooled");
          EXPECT_TRUE(same_bits(pool(x, batch, modes, include_prompt), followed.detach()));
          const at::Tensor d_out = random_tensor(expected.sizes(), type, 2);
          const at::Tensor d_x = torch::autograd::grad({followed}, {leaf}, {d_out})[0];
          expect_close(d_x, torch::autograd::grad({expected}, {twin}, {d_out})[0], tolerance, "gradient");
          const Threads one(1);
          const at::Tensor again = pool(leaf, batch, modes, include_prompt);
          EXPECT_TRUE(same_bits(again.detach(), followed.detach()));
          EXPECT_TRUE(same_bits(torch::autograd::grad({again}, {leaf}, {d_out})[0], d_x));
        }
      }
    }
  }
}

TEST(Kernels, HighestOfEqualAndOfNone) {
  const PackedBatch batch = batch_of({3, 4});
  at::Tensor x = at::zeros({7, 2}, at::kFloat);
  x[4][0] = x[5][0] = std::nanf("");
  x[6][0] = INFINITY;
  const at::Tensor leaf = x.detach().clone().requires_grad_(true);
  const at::Tensor out = pool(leaf, batch, {"max"}, true);
  EXPECT_TRUE(std::isnan(out[1][0].item<float>()));
  const at::Tensor d_x = torch::autograd::grad({out.sum()}, {leaf})[0];
  at::Tensor expected = at::zeros({7, 2}, at::kFloat);
  expected[0].fill_(1);  // the first of equal ones
  expected[3][1] = 1;
  expected[4][0] = 1;  // no number is higher than every number
  EXPECT_TRUE(same_bits(d_x, expected));
}

// What a device does that knows where rows begin, unless it would have to know of prompts.
TEST(Kernels, PoolingByOffsets) {
  PackedBatch batch = batch_of({1, 2, 15, 3});
  for (bool prompts : {false, true}) {
    if (prompts) batch.prompt_lengths = {1, 1, 4, 0};
    Input input(batch, at::kCPU);
    input.offsets_R1 = at::tensor(batch.offsets, at::kInt);
    const at::Tensor x = random_tensor({batch.tokens(), 5}, at::kDouble, 1);
    for (const std::vector<std::string>& modes : kModes) {
      for (bool include_prompt : {true, false}) {
        SCOPED_TRACE(modes[0] + (prompts ? " with prompts" : "") + (include_prompt ? ", included" : ""));
        const at::Tensor expected = reference::pool(x, batch, modes, include_prompt);
        expect_close(pool(x, input, modes, include_prompt), expected, 1e-14, "pooled");
        expect_close(pool(x, input, modes, include_prompt, true), normalize_rows(expected), 1e-14, "normalised");
      }
    }
  }
}

TEST(Kernels, MeansOfTableRowsAreThoseOfPooling) {
  // Rows without tokens, and so many tokens that threads share them.
  const std::vector<std::vector<int>> batches = {{1, 0, 15, 0, 7, 40}, {0, 0}, std::vector<int>(700, 61)};
  for (const std::vector<int>& lengths : batches) {
    const PackedBatch batch = batch_of(lengths, 43);
    const at::Tensor ids_T = at::tensor(batch.ids, at::kInt);
    for (at::ScalarType type : {at::kFloat, at::kDouble}) {
      for (int64_t width : {1, 17, 100, 128, 256, 300}) {
        SCOPED_TRACE(std::to_string(lengths.size()) + " rows, width " + std::to_string(width));
        const at::Tensor table = random_tensor({43, width}, type, 1);
        const at::Tensor expected = pool(table.index_select(0, ids_T), batch, {"mean"}, true);
        EXPECT_TRUE(same_bits(row_means(table, batch, false), expected));
        EXPECT_TRUE(same_bits(row_means(table, batch, true), normalized(expected)));
        const Threads one(1);
        EXPECT_TRUE(same_bits(row_means(table, batch, true), normalized(expected)));
      }
    }
  }
}

TEST(Kernels, NormalizedRows) {
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t width : kWidths) {
      SCOPED_TRACE(width);
      at::Tensor x = random_tensor({5, width}, type, 1);
      x[2].zero_();  // divided by 1e-12
      x[3].mul_(1e-9);
      const at::Tensor before = x.clone(), followed = normalized(x.detach().clone().requires_grad_(true));
      EXPECT_TRUE(followed.requires_grad());
      const at::Tensor actual = normalized(x);
      EXPECT_TRUE(same_bits(x, before));
      expect_close(actual, followed.detach(), type == at::kDouble ? 1e-14 : 1e-6, "normalized");
      expect_close(actual, normalize_rows(x), type == at::kDouble ? 1e-14 : 1e-6, "normalize_rows");
    }
  }
}

}  // namespace

}  // namespace st::test
