// The masks that dropout draws: their statistics, what they depend on, and that the kernels draw the same ones.
#include "ops/dropout.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "ops/embedding_norm.h"
#include "ops/residual_norm.h"
#include "support.h"

namespace st::test {

namespace {

constexpr double kProbability = 0.1;

// That `dropped` of `count` fits the probability: five standard deviations of the binomial distribution.
void expect_rate(int64_t dropped, int64_t count, double probability) {
  const double mean = count * probability, deviation = std::sqrt(count * probability * (1 - probability));
  EXPECT_NEAR(static_cast<double>(dropped), mean, 5 * deviation) << "of " << count;
}

TEST(Dropout, RateAndScale) {
  for (double probability : {0.1, 0.5, 0.03}) {
    const Dropout dropout(DropoutKey(1, 2, 3), 4, probability);
    ASSERT_TRUE(dropout.active());
    const double exact = dropout.threshold / 65536.0;
    EXPECT_NEAR(exact, probability, 1e-5);
    EXPECT_DOUBLE_EQ(dropout.scale, 1 / (1 - exact));
    int64_t dropped = 0;
    for (uint32_t row = 0; row < 4; ++row) {
      for (uint32_t position = 0; position < 50; ++position) {
        for (uint32_t column = 0; column < 384; ++column) {
          const double multiplier = dropout.multiplier(row, position, column);
          ASSERT_TRUE(multiplier == 0 || multiplier == dropout.scale);
          dropped += multiplier == 0;
        }
      }
    }
    expect_rate(dropped, 4 * 50 * 384, exact);
  }
  EXPECT_FALSE(Dropout(DropoutKey(1, 2, 3), 4, 0).active());
  EXPECT_FALSE(Dropout().active());
}

using Place = std::function<double(const Dropout&, uint32_t)>;  // the multiplier of the i-th element along some axis

// The two masks agree as often as independent ones do: neither equal nor each other's opposite.
void expect_independent(const Dropout& a, const Place& place_a, const Dropout& b, const Place& place_b,
                        const char* what) {
  SCOPED_TRACE(what);
  constexpr int64_t kCount = 20000;
  int64_t equal = 0;
  for (uint32_t i = 0; i < kCount; ++i) equal += place_a(a, i) == place_b(b, i);
  expect_rate(equal, kCount, (1 - kProbability) * (1 - kProbability) + kProbability * kProbability);
}

TEST(Dropout, EveryCoordinateDrawsAnotherMask) {
  const Dropout base(DropoutKey(1, 2, 3), 4, kProbability);
  const Place columns = [](const Dropout& d, uint32_t i) { return d.multiplier(3, 5, i); };
  const Place rows = [](const Dropout& d, uint32_t i) { return d.multiplier(i, 5, 7); };
  expect_independent(base, columns, Dropout(DropoutKey(2, 2, 3), 4, kProbability), columns, "seed");
  expect_independent(base, columns, Dropout(DropoutKey(1, 3, 3), 4, kProbability), columns, "step");
  expect_independent(base, columns, Dropout(DropoutKey(1, 2, 4), 4, kProbability), columns, "accumulation");
  expect_independent(base, columns, Dropout(DropoutKey(1, 2, 3), 5, kProbability), columns, "site");
  expect_independent(base, columns, base, [](const Dropout& d, uint32_t i) { return d.multiplier(4, 5, i); }, "row");
  expect_independent(
      base, columns, base, [](const Dropout& d, uint32_t i) { return d.multiplier(3, 6, i); }, "position");
  expect_independent(base, rows, base, [](const Dropout& d, uint32_t i) { return d.multiplier(i, 5, 8); }, "column");
  for (uint32_t apart : {1, 15, 16, 112, 128}) {  // the neighbours that share a counter or a register
    expect_independent(
        base, columns, base, [&](const Dropout& d, uint32_t i) { return d.multiplier(3, 5, i + apart); },
        "columns apart");
  }
}

TEST(Dropout, EveryCoordinateOfAttentionDrawsAnotherMask) {
  const Dropout base(DropoutKey(1, 2, 3), 4, kProbability);
  const auto place = [](uint32_t row, uint32_t head, uint32_t query, uint32_t key) {
    return
        [=](const Dropout& d, uint32_t i) { return d.attention_multiplier(row, head, query + i / 128, key + i % 128); };
  };
  const Place first = place(3, 2, 5, 7);
  int64_t dropped = 0;
  for (uint32_t i = 0; i < 20000; ++i) dropped += first(base, i) == 0;
  expect_rate(dropped, 20000, base.threshold / 65536.0);
  expect_independent(base, first, Dropout(DropoutKey(1, 3, 3), 4, kProbability), first, "step");
  expect_independent(base, first, Dropout(DropoutKey(1, 2, 3), 5, kProbability), first, "site");
  expect_independent(base, first, base, place(4, 2, 5, 7), "row");
  expect_independent(base, first, base, place(3, 3, 5, 7), "head");
  for (uint32_t apart : {1, 2, 8, 16}) {  // the neighbours that share a counter, or a register
    expect_independent(base, first, base, place(3, 2, 5 + apart, 7), "queries apart");
    expect_independent(base, first, base, place(3, 2, 5, 7 + apart), "keys apart");
  }
  const Place hidden = [](const Dropout& d, uint32_t i) { return d.multiplier(3, i / 128, i % 128); };
  expect_independent(base, place(3, 0, 0, 0), base, hidden, "hidden states at the same site");
}

TEST(Dropout, ReplaysAndCountsRowsFromTheFirstOfTheBatch) {
  const Dropout whole(DropoutKey(1, 2, 3), 4, kProbability), again(DropoutKey(1, 2, 3), 4, kProbability);
  const Dropout chunk(DropoutKey(1, 2, 3, 10), 4, kProbability);
  for (uint32_t i = 0; i < 500; ++i) {
    EXPECT_EQ(whole.multiplier(12, 5, i), again.multiplier(12, 5, i));
    EXPECT_EQ(whole.multiplier(12, 5, i), chunk.multiplier(2, 5, i));
  }
}

TEST(Dropout, RowsOfAPartHaveTheNumbersOfTheWholeBatch) {
  const Dropout whole(DropoutKey(5, 6, 7, 3), 4, kProbability), part(key_of_part(), 4, kProbability);
  // Of columns of six rows each: the third and fourth of every column but the very first one.
  const std::vector<uint32_t> numbers = {3, 8, 9, 14, 15};
  for (uint32_t row = 0; row < numbers.size(); ++row) {
    for (uint32_t i = 0; i < 200; ++i) {
      EXPECT_EQ(part.multiplier(row, 5, i), whole.multiplier(numbers[row], 5, i));
      EXPECT_EQ(part.attention_multiplier(row, 1, 5, i), whole.attention_multiplier(numbers[row], 1, 5, i));
    }
  }
}

// The bits of a mask as [T, width] of bool.
at::Tensor kept(const DropoutMask& mask, int64_t width) {
  at::Tensor out = at::zeros({mask.kept_TM.size(0), width}, at::kBool);
  for (int64_t t = 0; t < out.size(0); ++t) {
    const auto* words = reinterpret_cast<const uint16_t*>(mask.kept_TM.data_ptr<int16_t>()) + t * mask_words(width);
    for (int64_t i = 0; i < width; ++i) out.data_ptr<bool>()[t * width + i] = (words[i / 16] >> i % 16 & 1) != 0;
  }
  return out;
}

TEST(Kernels, DropoutMaskOfNormsEqualsTheReference) {
  const PackedBatch batch = batch_of({1, 17, 40});
  const Input input(batch, at::kCPU);
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t width : {1, 7, 12, 32, 100, 127, 128, 129, 384}) {
      SCOPED_TRACE(width);
      const Dropout dropout(DropoutKey(~uint64_t{0}, 1, 0, 1000), 65535, kProbability);
      const at::Tensor zeros_D = at::zeros({width}, type), ones_D = at::ones({width}, type);
      const DropoutMask mask = mask_for(dropout, input.tokens(), width),
                        again = mask_for(dropout, input.tokens(), width);
      const at::Tensor expected = dropout_multiplier_TD(dropout, input, width, type);

      at::Tensor sum = at::ones({input.tokens(), width}, type), out = at::zeros_like(sum);
      residual_norm(input, mask, {ones_D, zeros_D, 1e-5}, zeros_D, at::zeros_like(sum), sum, out, {}, {});
      EXPECT_TRUE(same_bits(sum, expected));  // 0 + dropout(1 + 0)

      const EmbeddingTables tables{at::zeros({11, width}, type), at::zeros({40, width}, type),
                                   at::zeros({1, width}, type)};
      embedding_norm(input, again, tables, {input.positions_T}, {zeros_D, ones_D, 1e-5}, sum, out, {}, {});
      EXPECT_TRUE(same_bits(out, expected));  // dropout(0 * gamma + 1)

      EXPECT_TRUE(same_bits(kept(mask, width), expected.ne(0)));
      EXPECT_TRUE(same_bits(kept(again, width), expected.ne(0)));
    }
  }
}

}  // namespace

}  // namespace st::test
