// The attention kernels against their references and against what must hold for any attention.
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "attention_case.h"
#include "core/device.h"
#include "ops/dropout.h"
#include "support.h"

namespace st::test {

namespace {

double tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : type == at::kFloat ? 1e-5 : 8e-3;
}
double lse_tolerance(at::ScalarType type) {
  return type == at::kDouble ? 1e-12 : 1e-5;
}

struct Shape {
  int64_t heads, head_dim;
};

struct Outputs {
  at::Tensor out, lse, mask, d_qkv, d_bias;
};

AttentionCall call_of(const Input& input, const Dropout& dropout, int64_t heads, int64_t head_dim) {
  return {.queries = rows_of(input),
          .keys = rows_of(input),
          .shape = shape_of_heads(heads, heads, head_dim),
          .dropout = dropout};
}

// As BERT calls it: queries, keys and values in one matrix.
void forward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
             const at::Tensor& out, const at::Tensor& lse, const at::Tensor& mask, bool reference = false) {
  const AttentionCall call = call_of(input, dropout, heads, out.size(1) / heads);
  (reference ? reference::attention : attention)(call, side_by_side(qkv_T3D, call.shape), out, lse, mask);
}

void backward(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv_T3D,
              const at::Tensor& d_out, const Outputs& to, bool reference = false) {
  const AttentionCall call = call_of(input, dropout, heads, d_out.size(1) / heads);
  (reference ? reference::attention_backward : attention_backward)(
      call, side_by_side(qkv_T3D, call.shape), to.out, to.lse, to.mask, d_out,
      {.values = side_by_side(to.d_qkv, call.shape), .biases = side_by_side(to.d_bias, call.shape)});
}

Outputs fresh(const Input& input, int64_t heads, int64_t width, at::ScalarType type) {
  const int64_t tokens = input.tokens();
  return {at::full({tokens, width}, 9, type), at::zeros({heads, tokens}, master_dtype(type)),
          at::full({attention_mask_words(call_of(input, Dropout(), heads, width / heads))}, 9, at::kShort),
          at::full({tokens, 3 * width}, 9, type), at::ones({3 * width}, master_dtype(type))};
}

void compare(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv, double factor = 1) {
  const int64_t tokens = input.tokens(), width = qkv.size(1) / 3;
  const at::ScalarType type = qkv.scalar_type();
  Outputs a = fresh(input, heads, width, type), e = fresh(input, heads, width, type);
  forward(input, dropout, heads, qkv, a.out, a.lse, a.mask);
  forward(input, dropout, heads, qkv, e.out, e.lse, {}, true);
  expect_close(a.out, e.out, factor * tolerance(type), "out");
  expect_close(a.lse, e.lse, lse_tolerance(type), "lse");
  const at::Tensor d_out = random_tensor({tokens, width}, type, 2);
  Outputs from_reference{e.out, e.lse, a.mask, a.d_qkv, a.d_bias};
  backward(input, dropout, heads, qkv, d_out, from_reference);
  backward(input, dropout, heads, qkv, d_out, e, true);
  expect_close(a.d_qkv, e.d_qkv, factor * tolerance(type), "d_qkv");
  const double rounding = type == at::kBFloat16 ? 4e-3 * e.d_qkv.abs().sum(0).max().item<double>() : 0;
  const double most = std::max(1.0, e.d_bias.abs().max().item<double>());
  expect_close(a.d_bias, e.d_bias, factor * (type == at::kDouble ? 1e-12 : 1e-5) + rounding / most, "d_bias");
  // Without statistics, as encoding uses it.
  at::Tensor bare = at::zeros_like(a.out);
  forward(input, dropout, heads, qkv, bare, {}, a.mask);
  EXPECT_TRUE(same_bits(bare, a.out));
}

TEST(Kernels, Attention) {
  const PackedBatch batch = batch_of({1, 2, 15, 16, 17, 31, 33, 130});
  const Input input(batch, at::kCPU);
  for (const Shape& shape :
       {Shape{1, 4}, Shape{2, 8}, Shape{3, 12}, Shape{12, 32}, Shape{2, 64}, Shape{3, 5}, Shape{2, 1}}) {
    for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      for (double probability : {0.0, 0.1}) {
        SCOPED_TRACE(std::string(c10::toString(type)) + ", heads " + std::to_string(shape.heads) + " of " +
                     std::to_string(shape.head_dim) + ", dropout " + std::to_string(probability));
        const at::Tensor qkv = random_tensor({input.tokens(), 3 * shape.heads * shape.head_dim}, type, 1, 2);
        compare(input, Dropout(key_of_part(), 9, probability), shape.heads, qkv);
      }
    }
  }
}

TEST(Kernels, AttentionOfScoresFarApart) {
  const PackedBatch batch = batch_of({5, 40});
  const Input input(batch, at::kCPU);
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    compare(input, Dropout(), 2, random_tensor({45, 3 * 16}, type, 1, 40), 100);  // scores of thousands
  }
}

// All lengths that end within a block of registers, a block of queries or beyond, and the heads of usual models.
TEST(Kernels, AttentionOfEveryLength) {
  std::vector<int> lengths;
  for (int length = 1; length <= 70; ++length) lengths.push_back(length);
  for (int length : {128, 154, 300, 512}) lengths.push_back(length);
  for (int length : lengths) {
    const PackedBatch batch = batch_of({3, length});
    const Input input(batch, at::kCPU);
    for (const Shape& shape : {Shape{2, 32}, Shape{1, 64}}) {
      for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
        SCOPED_TRACE(std::string(c10::toString(type)) + ", length " + std::to_string(length) + ", heads of " +
                     std::to_string(shape.head_dim));
        const at::Tensor qkv = random_tensor({input.tokens(), 3 * shape.heads * shape.head_dim}, type, 1, 2);
        compare(input, Dropout(key_of_part(), 9, length % 2 ? 0.1 : 0), shape.heads, qkv);
      }
    }
  }
}

// In float32 the kernels are as near to float64 as single precision allows.
TEST(Kernels, AttentionIsAsExactAsItsType) {
  for (int length : {16, 40, 154, 512}) {
    const PackedBatch batch = batch_of({length});
    const Input input(batch, at::kCPU);
    const Dropout dropout(DropoutKey(5, 6, 7), 9, 0.1);
    const at::Tensor qkv = random_tensor({length, 3 * 64}, at::kFloat, 1, 3),
                     d_out = random_tensor({length, 64}, at::kFloat, 2);
    Outputs a = fresh(input, 2, 64, at::kFloat), e = fresh(input, 2, 64, at::kDouble);
    forward(input, dropout, 2, qkv, a.out, a.lse, a.mask);
    backward(input, dropout, 2, qkv, d_out, a);
    const at::Tensor qkv64 = qkv.to(at::kDouble), d_out64 = d_out.to(at::kDouble);
    forward(input, dropout, 2, qkv64, e.out, e.lse, {}, true);
    backward(input, dropout, 2, qkv64, d_out64, e, true);
    SCOPED_TRACE(length);
    expect_close(a.out.to(at::kDouble), e.out, 3e-6, "out");
    expect_close(a.lse.to(at::kDouble), e.lse, 3e-7, "lse");
    expect_close(a.d_qkv.to(at::kDouble), e.d_qkv, 2e-6, "d_qkv");
    expect_close(a.d_bias.to(at::kDouble), e.d_bias, 5e-6, "d_bias");
  }
}

TEST(Kernels, AttentionStaysInsideItsRow) {
  const PackedBatch together = batch_of({9, 17, 4, 50});
  const Input input(together, at::kCPU);
  const int64_t tokens = input.tokens();
  const at::Tensor qkv = random_tensor({tokens, 3 * 64}, at::kFloat, 1),
                   d_out = random_tensor({tokens, 64}, at::kFloat, 2);
  Outputs all = fresh(input, 2, 64, at::kFloat);
  const auto run = [&](const Input& rows, const Dropout& dropout, const at::Tensor& x, const at::Tensor& d,
                       Outputs& to) {
    forward(rows, dropout, 2, x, to.out, to.lse, to.mask);
    backward(rows, dropout, 2, x, d, to);
  };
  run(input, Dropout(DropoutKey(1, 1, 1), 2, 0.2), qkv, d_out, all);
  for (int64_t row = 0; row < together.rows(); ++row) {
    const int64_t start = together.offsets[row], length = together.length(row);
    const PackedBatch alone = batch_of({static_cast<int>(length)});
    const Input one_row(alone, at::kCPU);
    Outputs one = fresh(one_row, 2, 64, at::kFloat);
    run(one_row, Dropout(DropoutKey(1, 1, 1, static_cast<uint32_t>(row)), 2, 0.2),
        qkv.narrow(0, start, length).contiguous(), d_out.narrow(0, start, length).contiguous(), one);
    EXPECT_TRUE(same_bits(one.out, all.out.narrow(0, start, length))) << row;
    EXPECT_TRUE(same_bits(one.d_qkv, all.d_qkv.narrow(0, start, length))) << row;
  }
}

TEST(Kernels, AttentionDoesNotDependOnTheNumberOfThreads) {
  std::vector<int> lengths(80, 15);  // enough work for several threads
  lengths.insert(lengths.end(), {9, 150, 4, 60, 1});
  const PackedBatch batch = batch_of(lengths);
  const Input input(batch, at::kCPU);
  const at::Tensor qkv = random_tensor({input.tokens(), 3 * 96}, at::kFloat, 1);
  std::vector<Outputs> found;
  for (int threads : {1, 2, 3}) {
    const Threads set(threads);
    found.push_back(fresh(input, 3, 96, at::kFloat));
    Outputs& to = found.back();
    const Dropout dropout(DropoutKey(1, 1, 1), 2, 0.2);
    forward(input, dropout, 3, qkv, to.out, to.lse, to.mask);
    backward(input, dropout, 3, qkv, to.out, to);
    EXPECT_TRUE(same_bits(to.out, found[0].out) && same_bits(to.d_qkv, found[0].d_qkv) &&
                same_bits(to.d_bias, found[0].d_bias))
        << threads;
  }
}

TEST(Kernels, AttentionWithDropoutNeedsItsMask) {
  const PackedBatch batch = batch_of({20});
  const Input input(batch, at::kCPU);
  Outputs to = fresh(input, 2, 16, at::kFloat);
  const Dropout dropout(DropoutKey(1, 1, 1), 2, 0.2);
  expect_error("ERR_LIBTORCH", "Expected 80 words of 16 bits for the mask of attention but found 0",
               [&] { forward(input, dropout, 2, random_tensor({20, 48}, at::kFloat, 1), to.out, to.lse, {}); });
}

// Equal keys give every value the weight 1 / L; values that are unit vectors make the output the dropped probabilities.
TEST(Kernels, DropoutMaskOfAttentionEqualsTheReference) {
  for (int length : {1, 16, 33, 130}) {
    const PackedBatch batch = batch_of({2, length});
    const Input input(batch, at::kCPU);
    const int64_t heads = 3, width = heads * length;
    at::Tensor qkv = at::zeros({input.tokens(), 3 * width}, at::kDouble),
               out = at::zeros({input.tokens(), width}, at::kDouble);
    for (int64_t head = 0; head < heads; ++head) {
      qkv.narrow(0, 2, length).narrow(1, 2 * width + head * length, length).copy_(at::eye(length, at::kDouble));
    }
    const Dropout dropout(DropoutKey(3, 2, 1, 7), 11, 0.1);
    at::Tensor mask = at::zeros({attention_mask_words(call_of(input, dropout, heads, length))}, at::kShort);
    forward(input, dropout, heads, qkv, out, {}, mask);
    const at::Tensor expected = dropout_multiplier_HQK(dropout, 1, heads, length, length, out.options()) / length;
    const at::Tensor actual = out.narrow(0, 2, length).view({length, heads, length}).transpose(0, 1);
    expect_close(actual, expected, 1e-14, "mask of length " + std::to_string(length));
    EXPECT_TRUE(same_bits(actual == 0, expected == 0));
  }
}

}  // namespace

}  // namespace st::test
