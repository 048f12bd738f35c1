// Every member of attention's descriptor: kernels against references, and what must hold for any of them.
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "attention_case.h"
#include "core/device.h"
#include "ops/attention_items.h"
#include "ops/cpu/kernels.h"

namespace st::test {

namespace {

const std::vector<int> kLengths = {1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 200};

double tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : type == at::kFloat ? 1e-5 : 8e-3;
}

// Both passes of the kernels against those of the reference, from the same results of the forward pass.
void compare(const AttentionSetup& setup, const std::vector<int>& lengths, at::ScalarType type, double dropout) {
  SCOPED_TRACE(setup.name + ", " + c10::toString(type) + ", heads of " + std::to_string(setup.shape.head_dim) +
               ", dropout " + std::to_string(dropout));
  AttentionCase actual(setup, lengths, type, dropout), expected(setup, lengths, type, dropout);
  actual.forward();
  expected.forward(true);
  const double sums = type == at::kDouble ? 1e-12 : 1e-5;
  expect_close(actual.out, expected.out, tolerance(type), "out");
  expect_close(actual.lse, expected.lse, sums, "lse");
  actual.out.copy_(expected.out);
  actual.lse.copy_(expected.lse);
  actual.backward();
  expected.backward(true);
  // Gradients that cancel out (of a key that alone is seen, of sums over keys) are as exact as what cancels.
  const auto expect_near = [&](const at::Tensor& a, const at::Tensor& e, double size, double most, const char* what) {
    ASSERT_TRUE(at::isfinite(a).all().item<bool>()) << what;
    const double largest = std::max(e.abs().max().to(at::kDouble).item<double>(), size);
    EXPECT_LE((a.to(at::kDouble) - e.to(at::kDouble)).abs().max().item<double>(), most * largest) << what;
  };
  const Projections &a = actual.d.values, &e = expected.d.values, &a_sums = actual.d.biases,
                    &e_sums = expected.d.biases;
  const double size = e.v.abs().max().to(at::kDouble).item<double>();
  expect_near(a.q, e.q, size, tolerance(type), "d_q");
  expect_near(a.k, e.k, size, tolerance(type), "d_k");
  expect_near(a.v, e.v, size, tolerance(type), "d_v");
  // The reference adds gradients that were rounded to their type.
  const auto of_sum = [](const at::Tensor& x) { return x.to(at::kDouble).abs().sum(0).max().item<double>(); };
  const double rounding = type == at::kBFloat16 ? 4e-3 : sums;
  expect_near(a_sums.q, e_sums.q, of_sum(e.q), rounding, "bias of q");
  expect_near(a_sums.k, e_sums.k, of_sum(e.k), rounding, "bias of k");
  expect_near(a_sums.v, e_sums.v, of_sum(e.v), rounding, "bias of v");
  expect_close(actual.d.table_BH, expected.d.table_BH, 2 * sums, "table");
  expect_close(actual.d.positions.q_RX, expected.d.positions.q_RX, 2 * sums, "queries of positions");
  expect_close(actual.d.positions.k_RX, expected.d.positions.k_RX, 2 * sums, "keys of positions");
  // Without statistics, as encoding uses it.
  const at::Tensor before = actual.out.clone(), bare = at::zeros_like(before);
  actual.forward();
  attention(actual.call, actual.qkv, bare, {}, actual.mask);
  EXPECT_TRUE(same_bits(bare, actual.out));
}

TEST(KernelsAttention, EveryMemberIsTheReference) {
  for (const AttentionSetup& setup : attention_setups(32)) {
    for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      for (double dropout : {0.0, 0.2}) compare(setup, kLengths, type, dropout);
    }
  }
}

// As a text is written: with the keys of the tokens before, or of another text.
TEST(KernelsAttention, OneQueryIsTheReference) {
  for (int64_t head_dim : {12, 32, 64, 80}) {
    for (AttentionSetup setup : attention_setups(head_dim)) {
      if (setup.positions) continue;
      for (const int more : {1, 14, 15, 16, 130}) {
        setup.more_keys = more;
        for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
          SCOPED_TRACE(setup.name + ", " + c10::toString(type) + ", heads of " + std::to_string(head_dim));
          AttentionCase actual(setup, {1, 1, 1}, type, 0), expected(setup, {1, 1, 1}, type, 0);
          actual.forward();
          expected.forward(true);
          expect_close(actual.out, expected.out, tolerance(type), "out");
          expect_close(actual.lse, expected.lse, type == at::kDouble ? 1e-12 : 1e-5, "lse");
          const at::Tensor bare = at::zeros_like(actual.out);
          attention(actual.call, actual.qkv, bare, {}, {});
          EXPECT_TRUE(same_bits(bare, actual.out));
        }
      }
    }
  }
}

TEST(KernelsAttention, EverySizeOfHeadsIsTheReference) {
  for (int64_t head_dim : {1, 5, 12, 33, 64, 80, 96, 128, 256}) {
    for (const AttentionSetup& setup : attention_setups(head_dim)) {
      if (setup.name != "plain" && setup.name != "all" && setup.name != "groups of 4, separate" &&
          setup.name != "positions") {
        continue;
      }
      for (at::ScalarType type : {at::kFloat, at::kBFloat16}) compare(setup, {3, 17, 70}, type, 0.2);
    }
  }
}

// No query sees them, because they are further than the window from all of its block: they may hold anything.
TEST(KernelsAttention, KeysThatNobodySeesAreNotTouched) {
  for (const bool causal : {false, true}) {
    AttentionCase c({.name = "window", .shape = shape_of_heads(2, 1, 32, causal, 20)}, {200}, at::kFloat, 0);
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    c.qkv.k.narrow(0, 0, 40).fill_(kNan);
    c.qkv.v.narrow(0, 0, 40).fill_(kNan);
    c.forward();
    c.backward();
    EXPECT_TRUE(at::isfinite(c.out.narrow(0, 64, 136)).all().item<bool>());
    EXPECT_TRUE(at::isfinite(c.d.values.q.narrow(0, 64, 136)).all().item<bool>());
    EXPECT_TRUE(at::isfinite(c.d.values.k.narrow(0, 96, 104)).all().item<bool>());
  }
}

TEST(KernelsAttention, MembersDoNotDependOnTheNumberOfThreads) {
  std::vector<int> lengths(20, 15);  // enough work for several threads
  lengths.insert(lengths.end(), {9, 150, 4, 60, 600});
  for (const AttentionSetup& setup : attention_setups(32)) {
    const auto run = [&](int threads) {
      const Threads set(threads);
      auto c = std::make_unique<AttentionCase>(setup, lengths, at::kFloat, 0.2);
      c->forward();
      c->backward();
      return c;
    };
    const auto one = run(1), two = run(2);
    EXPECT_TRUE(same_bits(one->out, two->out)) << setup.name;
    for (size_t i = 0; i < one->d_matrices.size(); ++i)
      EXPECT_TRUE(same_bits(one->d_matrices[i], two->d_matrices[i])) << setup.name;
    EXPECT_TRUE(same_bits(one->d.biases.k, two->d.biases.k)) << setup.name;
    EXPECT_TRUE(!setup.positions || same_bits(one->d.positions.q_RX, two->d.positions.q_RX)) << setup.name;
    EXPECT_TRUE(!setup.positions || same_bits(one->d.positions.k_RX, two->d.positions.k_RX)) << setup.name;
    EXPECT_TRUE(!setup.biased || same_bits(one->d.table_BH, two->d.table_BH)) << setup.name;
  }
}

// Rows whose masks are not kept.
TEST(KernelsAttention, LongRowsAreTheReference) {
  AttentionSetup causal{.name = "causal", .shape = shape_of_heads(2, 1, 32, true)};
  EXPECT_EQ(AttentionCase(causal, {static_cast<int>(kMostKeptKeys) + 1}, at::kFloat, 0.1).mask.numel(), 0);
  for (at::ScalarType type : {at::kFloat, at::kDouble}) compare(causal, {700, 20}, type, 0.1);
  compare({.name = "window", .shape = shape_of_heads(2, 2, 32, false, 64)}, {2048}, at::kFloat, 0.1);
  compare({.name = "plain", .shape = shape_of_heads(1, 1, 32)}, {2048}, at::kFloat, 0.1);
}

// One row of 2,048 tokens by the kernels themselves, with masks that are kept and with masks that are drawn again.
TEST(KernelsAttention, DrawnMasksAreTheKeptOnes) {
  constexpr int64_t kLength = 2048, kHeads = 2;
  for (const int64_t behind : {int64_t{1} << 40, int64_t{77}}) {
    AttentionCase kept({.name = "", .shape = shape_of_heads(kHeads, 1, 32)}, {kLength}, at::kFloat, 0.1);
    AttentionCase drawn({.name = "", .shape = shape_of_heads(kHeads, 1, 32)}, {kLength}, at::kFloat, 0.1);
    for (AttentionCase* c : {&kept, &drawn}) {
      const bool keeps = c == &kept;
      if (keeps) c->mask = at::zeros({kHeads * kLength / 16 * kLength}, at::kShort);
      using Rows = kernels::TokenRows<float>;
      const auto read = [](const at::Tensor& x) {
        return kernels::TokenRows<const float>{x.data_ptr<float>(), x.stride(0)};
      };
      const auto write = [](const at::Tensor& x) { return Rows{x.data_ptr<float>(), x.stride(0)}; };
      const kernels::Attention<float> call{.heads = kHeads,
                                           .group = kHeads,
                                           .head_dim = 32,
                                           .divisor = 5.5f,
                                           .behind = behind,
                                           .ahead = behind,
                                           .dropout = c->call.dropout,
                                           .q = read(c->qkv.q),
                                           .k = read(c->qkv.k),
                                           .v = read(c->qkv.v),
                                           .out = write(c->out),
                                           .lse_HT = c->lse.data_ptr<float>(),
                                           .tokens = kLength,
                                           .mask = keeps ? static_cast<uint16_t*>(c->mask.data_ptr()) : nullptr,
                                           .d_out = read(c->d_out),
                                           .d_q = write(c->d.values.q),
                                           .d_k = write(c->d.values.k),
                                           .d_v = write(c->d.values.v)};
      const kernels::AttentionItem item{.first_query = 0,
                                        .queries = kLength,
                                        .first_key = 0,
                                        .keys = kLength,
                                        .mask = 0,
                                        .mask_words = keeps ? kLength / 16 * kLength : 0,
                                        .d_bias = 0,
                                        .row = 0,
                                        .head = 0,
                                        .head_end = kHeads};
      const kernels::Table<float>& table = kernels::table<float>();
      std::vector<float> scratch(table.attention_scratch(call, item, true));
      table.attention(call, item, scratch.data());
      table.attention_backward(call, item, scratch.data());
    }
    EXPECT_TRUE(same_bits(kept.out, drawn.out)) << behind;
    EXPECT_TRUE(same_bits(kept.d_matrices[0], drawn.d_matrices[0])) << behind;
  }
}

TEST(KernelsAttention, ScratchIsLinearInTheLength) {
  for (const bool backward : {false, true}) {
    const auto scratch = [&](int64_t length) {
      kernels::Attention<float> call{};
      call.heads = call.group = 1;
      call.head_dim = 64;
      call.behind = call.ahead = int64_t{1} << 40;
      float d_bias = 0;
      call.d_bias = &d_bias;
      call.positions.reach = length;
      kernels::AttentionItem item{};
      item.queries = item.keys = length;
      return kernels::table<float>().attention_scratch(call, item, backward);
    };
    EXPECT_LE(scratch(20000), 2 * scratch(10000));
  }
}

TEST(KernelsAttention, RefusesWhatDoesNotFit) {
  AttentionCase c({.name = "", .shape = shape_of_heads(4, 2, 8, true)}, {5, 3}, at::kFloat, 0);
  const auto refused = [&](const std::string& text) {
    expect_error("ERR_INVALID_ARGUMENT", text, [&] { c.forward(); });
  };
  c.call.shape.kv_heads = 3;
  refused("Expected heads that the key heads divide but found 4 and 3 of 8");
  c.call.shape.kv_heads = 1;
  refused("Expected attention's keys to be 8 wide");
  c.call.shape.kv_heads = 2;
  c.call.shape.scale = 0;
  refused("Expected a scale above 0 but found 0");
  c.call.shape.scale = 1;
  const std::vector<int32_t> first = {0, 5}, length = {4, 3};
  c.call.keys = {.rows = 2, .first = first.data(), .length = length.data()};
  refused("Expected at least 5 keys for the 5 queries of row 0 but found 4");
  c.call.keys.rows = 1;
  refused("Expected as many rows of keys as of queries, 2, but found 1");
  c.call.keys = c.call.queries;
  c.call.bias = &c.bias;
  c.bias.table_BH = random_tensor({3, 4}, at::kFloat, 1);
  refused("Expected at least 4 buckets of relative positions and a largest distance above 0 but found 3 and 20");
  c.bias.table_BH = random_tensor({8, 3}, at::kFloat, 1);
  refused("Expected a relative bias of [buckets, 4 heads]");
  c.call.bias = nullptr;
  c.call.positions = &c.positions;
  refused("Expected attention that reads positions without a bias, an order, a window or groups of heads");
  expect_error("ERR_INVALID_ARGUMENT", "Expected queries, keys and values 64 wide but found 60",
               [&] { side_by_side(random_tensor({2, 60}, at::kFloat, 1), c.call.shape); });
}

TEST(KernelsAttention, RefusesPositionsThatDoNotFit) {
  AttentionCase c({.name = "", .shape = shape_of_heads(2, 2, 8), .positions = true}, {5, 3}, at::kFloat, 0);
  const auto refused = [&](const std::string& text) {
    expect_error("ERR_INVALID_ARGUMENT", text, [&] { c.forward(); });
  };
  const PositionPair pair = c.positions.pair;
  c.positions.pair.k_RX = pair.k_RX.narrow(0, 0, 3);
  refused("positions, 16 wide and of Float");
  c.positions.pair.k_RX = pair.k_RX.narrow(1, 0, 8);
  refused("positions, 16 wide and of Float");
  c.positions.pair = pair;
  c.places.resize(7);
  refused("Expected the places of all distances in rows of up to 5 tokens but found 7");
  c.places.resize(9);
  const std::vector<int32_t> first = {0, 3}, length = {6, 3};
  c.call.keys = {.rows = 2, .first = first.data(), .length = length.data()};
  refused("Expected as many keys as queries where attention reads positions, 5 in row 0, but found 6");
}

}  // namespace

}  // namespace st::test
