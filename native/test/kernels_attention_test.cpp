// The attention kernels against their references and against what must hold for any attention.
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>

#include "core/device.h"
#include "ops/attention.h"
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
  at::Tensor out, lse, d_qkv;
};

Outputs fresh(int64_t tokens, int64_t heads, int64_t width, at::ScalarType type) {
  return {at::full({tokens, width}, 9, type), at::zeros({tokens, heads}, master_dtype(type)),
          at::full({tokens, 3 * width}, 9, type)};
}

void compare(const Input& input, const Dropout& dropout, int64_t heads, const at::Tensor& qkv, double factor = 1) {
  const int64_t tokens = input.tokens(), width = qkv.size(1) / 3;
  const at::ScalarType type = qkv.scalar_type();
  Outputs a = fresh(tokens, heads, width, type), e = fresh(tokens, heads, width, type);
  attention(input, dropout, heads, qkv, a.out, a.lse);
  reference::attention(input, dropout, heads, qkv, e.out, e.lse);
  expect_close(a.out, e.out, factor * tolerance(type), "out");
  expect_close(a.lse, e.lse, lse_tolerance(type), "lse");
  const at::Tensor d_out = random_tensor({tokens, width}, type, 2);
  attention_backward(input, dropout, heads, qkv, e.out, e.lse, d_out, a.d_qkv);
  reference::attention_backward(input, dropout, heads, qkv, e.out, e.lse, d_out, e.d_qkv);
  expect_close(a.d_qkv, e.d_qkv, factor * tolerance(type), "d_qkv");
  // Without statistics, as encoding uses it.
  at::Tensor bare = at::zeros_like(a.out);
  attention(input, dropout, heads, qkv, bare, {});
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
        compare(input, Dropout(DropoutKey(5, 6, 7, 3), 9, probability), shape.heads, qkv);
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

TEST(Kernels, AttentionOfALongRow) {
  const PackedBatch batch = batch_of({512});
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    compare(Input(batch, at::kCPU), Dropout(DropoutKey(5, 6, 7), 9, 0.1), 2, random_tensor({512, 3 * 16}, type, 1, 2));
  }
}

TEST(Kernels, AttentionStaysInsideItsRow) {
  const PackedBatch together = batch_of({9, 17, 4});
  const Input input(together, at::kCPU);
  const at::Tensor qkv = random_tensor({30, 3 * 12}, at::kFloat, 1), d_out = random_tensor({30, 12}, at::kFloat, 2);
  Outputs all = fresh(30, 3, 12, at::kFloat);
  const auto run = [&](const Input& rows, const Dropout& dropout, const at::Tensor& x, const at::Tensor& d,
                       Outputs& to) {
    attention(rows, dropout, 3, x, to.out, to.lse);
    attention_backward(rows, dropout, 3, x, to.out, to.lse, d, to.d_qkv);
  };
  run(input, Dropout(DropoutKey(1, 1, 1), 2, 0.2), qkv, d_out, all);
  for (int64_t row = 0; row < 3; ++row) {
    const int64_t start = together.offsets[row], length = together.length(row);
    const PackedBatch alone = batch_of({static_cast<int>(length)});
    Outputs one = fresh(length, 3, 12, at::kFloat);
    run(Input(alone, at::kCPU), Dropout(DropoutKey(1, 1, 1, static_cast<uint32_t>(row)), 2, 0.2),
        qkv.narrow(0, start, length).contiguous(), d_out.narrow(0, start, length).contiguous(), one);
    EXPECT_TRUE(same_bits(one.out, all.out.narrow(0, start, length))) << row;
    EXPECT_TRUE(same_bits(one.d_qkv, all.d_qkv.narrow(0, start, length))) << row;
  }
}

TEST(Kernels, AttentionDoesNotDependOnTheNumberOfThreads) {
  const PackedBatch batch = batch_of({9, 17, 4, 60, 1});
  const Input input(batch, at::kCPU);
  const at::Tensor qkv = random_tensor({input.tokens(), 3 * 24}, at::kFloat, 1);
  std::vector<Outputs> found;
  for (int threads : {1, 2, 3}) {
    const Threads set(threads);
    found.push_back(fresh(input.tokens(), 3, 24, at::kFloat));
    Outputs& to = found.back();
    attention(input, Dropout(DropoutKey(1, 1, 1), 2, 0.2), 3, qkv, to.out, to.lse);
    attention_backward(input, Dropout(DropoutKey(1, 1, 1), 2, 0.2), 3, qkv, to.out, to.lse, to.out, to.d_qkv);
    EXPECT_TRUE(same_bits(to.out, found[0].out) && same_bits(to.d_qkv, found[0].d_qkv)) << threads;
  }
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
    attention(input, dropout, heads, qkv, out, {});
    const at::Tensor expected = dropout_multiplier_HLL(dropout, 1, heads, length, out.options()) / length;
    const at::Tensor actual = out.narrow(0, 2, length).view({length, heads, length}).transpose(0, 1);
    expect_close(actual, expected, 1e-14, "mask of length " + std::to_string(length));
    EXPECT_TRUE(same_bits(actual == 0, expected == 0));
  }
}

}  // namespace

}  // namespace st::test
