// Attention's gradients against finite differences in float64, for every member of its descriptor.
#include <ATen/ops/cat.h>

#include "attention_case.h"

namespace st::test {

namespace {

double value_of(AttentionCase& c) {
  c.forward();
  return (c.out * c.d_out).sum().item<double>();
}

// The gradients of all that has one, in every `stride`-th element.
void check_gradients(const AttentionSetup& setup, const std::vector<int>& lengths, double dropout, int64_t stride) {
  AttentionCase c(setup, lengths, at::kDouble, dropout);
  const std::string what =
      setup.name + ", heads of " + std::to_string(setup.shape.head_dim) + ", dropout " + std::to_string(dropout);
  c.forward();
  c.backward();
  const auto value = [&] { return value_of(c); };
  for (size_t i = 0; i < c.matrices.size(); ++i)
    expect_gradient(value, c.matrices[i], c.d_matrices[i], what + ", matrix " + std::to_string(i), stride);
  const auto expect_sum = [&](const at::Tensor& sum_X, const at::Tensor& d_TX) {
    expect_close(sum_X, d_TX.sum(0) + 1, 1e-12, what + ", sums");
  };
  expect_sum(c.d.biases.q, c.d.values.q);
  expect_sum(c.d.biases.k, c.d.values.k);
  expect_sum(c.d.biases.v, c.d.values.v);
  if (setup.biased) expect_gradient(value, c.bias.table_BH, c.d.table_BH - 1, what + ", table");
  if (setup.positions) {
    const at::Tensor both = at::cat({c.d.positions.q_RX, c.d.positions.k_RX}, 1) - 1;
    expect_gradient(value, c.position_matrix, both, what + ", positions", stride);
  }
  // What nobody wants is left out; the rest stays as it is.
  AttentionCase bare(setup, lengths, at::kDouble, dropout);
  bare.d.biases = {};
  bare.d.table_BH = at::Tensor();
  bare.d.positions = {};
  bare.forward();
  bare.backward();
  for (size_t i = 0; i < c.matrices.size(); ++i) EXPECT_TRUE(same_bits(bare.d_matrices[i], c.d_matrices[i])) << what;
}

TEST(AttentionDifferences, ShortRows) {
  for (const AttentionSetup& setup : attention_setups(3)) {
    for (double dropout : {0.0, 0.25}) check_gradients(setup, {1, 5, 2, 9}, dropout, 1);
  }
}

TEST(AttentionDifferences, RowsOfSeveralBlocks) {
  for (const AttentionSetup& setup : attention_setups(4)) {
    for (double dropout : {0.0, 0.25}) check_gradients(setup, {3, 75}, dropout, 31);
  }
}

TEST(AttentionDifferences, SizesOfHeads) {
  for (const AttentionSetup& setup : attention_setups(17)) {
    if (setup.name == "all") check_gradients(setup, {4, 20}, 0.25, 23);
  }
}

// Heads in a row that is longer than those whose masks are kept.
TEST(AttentionDifferences, LongRows) {
  check_gradients({.name = "window", .shape = shape_of_heads(2, 1, 2, false, 8), .biased = true}, {530}, 0.25, 401);
}

}  // namespace

}  // namespace st::test
