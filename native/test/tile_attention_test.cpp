// Attention on tiles against the reference in float32, for every length, whichever kernels ops/attention.cpp would
// choose.
#include "ops/cpu/tile_attention.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "attention_case.h"
#include "ops/attention_items.h"

namespace st::test {

namespace {

using kernels::AttentionItem;
using kernels::Bf16;

const std::vector<int> kLengths = {1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 130, 256, 512};

class TileAttention : public testing::Test {
 protected:
  void SetUp() override {
    if (tiles == nullptr) GTEST_SKIP() << "this processor or path has no AMX";
  }
  const kernels::TileAttention* tiles = kernels::tile_attention();
};

kernels::TokenRows<Bf16> rows_of_tensor(const at::Tensor& x) {
  return {static_cast<Bf16*>(x.data_ptr()), x.stride(0)};
}
kernels::TokenRows<const Bf16> read_rows(const at::Tensor& x) {
  return {static_cast<const Bf16*>(x.data_ptr()), x.stride(0)};
}

kernels::Attention<Bf16> kernel_of(const AttentionCase& c) {
  constexpr int64_t kAll = int64_t{1} << 40;
  const AttentionShape& shape = c.call.shape;
  return {.heads = shape.heads,
          .group = shape.heads / shape.kv_heads,
          .head_dim = shape.head_dim,
          .divisor = static_cast<float>(1 / shape.scale),
          .behind = kAll,
          .ahead = kAll,
          .dropout = c.call.dropout,
          .q = read_rows(c.qkv.q),
          .k = read_rows(c.qkv.k),
          .v = read_rows(c.qkv.v),
          .out = rows_of_tensor(c.out),
          .lse_HT = c.lse.data_ptr<float>(),
          .tokens = c.lse.size(1),
          .mask = static_cast<uint16_t*>(c.mask.data_ptr()),
          .d_out = read_rows(c.d_out),
          .d_q = rows_of_tensor(c.d.values.q),
          .d_k = rows_of_tensor(c.d.values.k),
          .d_v = rows_of_tensor(c.d.values.v)};
}

// Every item, by the tiles.
void run(const kernels::TileAttention& tiles, const AttentionCase& c, bool backward) {
  const kernels::Attention<Bf16> kernel = kernel_of(c);
  for_each_item(c.call, backward, [&](const AttentionItem& item) {
    // What is read before it was written shows.
    std::vector<float> scratch(tiles.scratch(kernel, item, backward) + 16, std::numeric_limits<float>::quiet_NaN());
    const auto address = reinterpret_cast<uintptr_t>(scratch.data());
    float* aligned = scratch.data() + (64 - address % 64) % 64 / sizeof(float);
    (backward ? tiles.backward : tiles.forward)(kernel, item, aligned);
  });
}

// What bfloat16 holds, in float32.
std::unique_ptr<AttentionCase> in_float(const AttentionSetup& setup, const std::vector<int>& lengths, double dropout,
                                        const AttentionCase& from) {
  auto out = std::make_unique<AttentionCase>(setup, lengths, at::kFloat, dropout);
  for (size_t i = 0; i < out->matrices.size(); ++i) out->matrices[i].copy_(from.matrices[i]);
  out->d_out.copy_(from.d_out);
  return out;
}

void compare(const kernels::TileAttention& tiles, const AttentionSetup& setup, const std::vector<int>& lengths,
             double dropout) {
  constexpr double kRounding = 6e-3;
  SCOPED_TRACE(setup.name + ", heads of " + std::to_string(setup.shape.head_dim) + ", length " +
               std::to_string(lengths.back()) + ", dropout " + std::to_string(dropout));
  AttentionCase actual(setup, lengths, at::kBFloat16, dropout);
  const auto expected = in_float(setup, lengths, dropout, actual);
  run(tiles, actual, false);
  expected->forward(true);
  const auto near = [](const at::Tensor& a, const at::Tensor& e, const char* what) {
    expect_close(a.to(at::kFloat), e, kRounding, what);
  };
  near(actual.out, expected->out, "out");
  expect_close(actual.lse, expected->lse, 1e-5, "lse");
  run(tiles, actual, true);
  expected->backward(true);
  // Of a key that alone is seen, the gradients of scores are 0: they are as exact as what cancels.
  const auto expect_near = [&](const at::Tensor& a, const at::Tensor& e, const char* what) {
    ASSERT_TRUE(at::isfinite(a).all().item<bool>()) << what;
    const double largest = std::max(e.abs().max().item<double>(), expected->d.values.v.abs().max().item<double>());
    EXPECT_LE((a.to(at::kFloat) - e).abs().max().item<double>(), kRounding * largest) << what;
  };
  expect_near(actual.d.values.q, expected->d.values.q, "d_q");
  expect_near(actual.d.values.k, expected->d.values.k, "d_k");
  expect_near(actual.d.values.v, expected->d.values.v, "d_v");
}

TEST_F(TileAttention, EveryLengthIsTheReference) {
  for (int64_t head_dim : {32, 64}) {
    for (int length : kLengths) {
      const AttentionSetup plain{.name = "plain", .shape = shape_of_heads(2, 2, head_dim)};
      for (double dropout : {0.0, 0.1}) compare(*tiles, plain, {3, length}, dropout);
    }
  }
}

// Rows of more keys than those whose masks are kept, and of more queries than a chunk.
TEST_F(TileAttention, OtherShapesAreTheReference) {
  for (int64_t head_dim : {32, 64, 96, 128}) {
    AttentionShape unscaled = shape_of_heads(2, 2, head_dim);
    unscaled.scale = 0.5 / std::sqrt(head_dim);
    compare(*tiles, {.name = "scaled", .shape = unscaled}, {40, 70}, 0.2);
    compare(*tiles, {.name = "groups", .shape = shape_of_heads(4, 2, head_dim)}, {9, 70}, 0.2);
    compare(*tiles, {.name = "one group", .shape = shape_of_heads(4, 1, head_dim), .separate = true}, {150, 33}, 0.2);
    compare(*tiles, {.name = "more keys", .shape = shape_of_heads(2, 2, head_dim), .more_keys = 37}, {3, 140}, 0.2);
    compare(*tiles, {.name = "fewer keys", .shape = shape_of_heads(2, 2, head_dim), .more_keys = -20}, {21, 290}, 0);
  }
  compare(*tiles, {.name = "drawn twice", .shape = shape_of_heads(2, 1, 32)}, {static_cast<int>(kMostKeptKeys) + 90},
          0.1);
}

// The op's own choice: sums for biases, and the same bits by any number of threads.
TEST_F(TileAttention, TheNumberOfThreadsDoesNotMatter) {
  const std::vector<int> lengths = {200, 9, 150, 64, 17, 300};
  const AttentionSetup setup{.name = "groups", .shape = shape_of_heads(4, 2, 32)};
  const auto with = [&](int threads) {
    const Threads set(threads);
    auto c = std::make_unique<AttentionCase>(setup, lengths, at::kBFloat16, 0.2);
    c->forward();
    c->backward();
    return c;
  };
  const auto one = with(1), two = with(2);
  EXPECT_TRUE(same_bits(one->out, two->out));
  EXPECT_TRUE(same_bits(one->lse, two->lse));
  EXPECT_TRUE(same_bits(one->d_matrices[0], two->d_matrices[0]));
  EXPECT_TRUE(same_bits(one->d.biases.q, two->d.biases.q));
  EXPECT_TRUE(same_bits(one->d.biases.k, two->d.biases.k));
  EXPECT_TRUE(same_bits(one->d.biases.v, two->d.biases.v));
}

TEST_F(TileAttention, TakesLongRowsWithoutWindowAndBias) {
  const AttentionCase c({.name = "", .shape = shape_of_heads(2, 2, 32)}, {200}, at::kBFloat16, 0);
  AttentionItem item{};
  item.queries = item.keys = 200;
  kernels::Attention<Bf16> kernel = kernel_of(c);
  EXPECT_TRUE(tiles->takes(kernel, item));
  AttentionItem few = item;
  few.queries = few.keys = 4;
  EXPECT_FALSE(tiles->takes(kernel, few));
  kernel.ahead = 0;
  EXPECT_FALSE(tiles->takes(kernel, item));
  kernel.ahead = kernel.behind;
  kernel.behind = 150;
  EXPECT_FALSE(tiles->takes(kernel, item));
  kernel.behind = kernel.ahead;
  const float bias = 0;
  kernel.bias_HR = &bias;
  EXPECT_FALSE(tiles->takes(kernel, item));
  kernel.bias_HR = nullptr;
  kernel.head_dim = 80;
  EXPECT_FALSE(tiles->takes(kernel, item));
}

}  // namespace

}  // namespace st::test
