// What of attention on a GPU needs none.
#include <ATen/TensorOperators.h>

#include "attention_case.h"
#include "cuda/attention.h"

namespace st::test {

namespace {

TEST(CudaAttention, KernelByTypeHeadAndLength) {
  using cuda::AttentionKernel;
  const auto chosen = [](at::ScalarType type, int64_t head_dim, int64_t longest) {
    return cuda::choose_attention(shape_of_heads(4, 4, head_dim), false, type, longest);
  };
  EXPECT_EQ(chosen(at::kFloat, 32, 500), AttentionKernel::kEfficient);
  EXPECT_EQ(chosen(at::kBFloat16, 32, 64), AttentionKernel::kEfficient);
  EXPECT_EQ(chosen(at::kBFloat16, 32, 65), AttentionKernel::kFlash);
  EXPECT_EQ(chosen(at::kBFloat16, 256, 65), AttentionKernel::kFlash);
  EXPECT_EQ(chosen(at::kDouble, 32, 65), AttentionKernel::kReference);
  EXPECT_EQ(chosen(at::kBFloat16, 12, 65), AttentionKernel::kReference);
  EXPECT_EQ(chosen(at::kBFloat16, 512, 65), AttentionKernel::kReference);
}

TEST(CudaAttention, KernelByMember) {
  using cuda::AttentionKernel;
  const AttentionShape causal = shape_of_heads(4, 4, 64, true), window = shape_of_heads(4, 4, 64, false, 10),
                       groups = shape_of_heads(4, 2, 64);
  for (const AttentionShape& shape : {causal, window, groups}) {
    EXPECT_EQ(cuda::choose_attention(shape, false, at::kBFloat16, 20), AttentionKernel::kFlash);
    EXPECT_EQ(cuda::choose_attention(shape, true, at::kBFloat16, 20), AttentionKernel::kReference);
  }
  EXPECT_EQ(cuda::choose_attention(causal, false, at::kFloat, 20), AttentionKernel::kEfficient);
  EXPECT_EQ(cuda::choose_attention(causal, false, at::kHalf, 20), AttentionKernel::kFlash);
  EXPECT_EQ(cuda::choose_attention(window, false, at::kFloat, 20), AttentionKernel::kReference);
  EXPECT_EQ(cuda::choose_attention(groups, false, at::kFloat, 20), AttentionKernel::kReference);
}

TEST(CudaAttention, SeedsDifferByPlaceAndRow) {
  const DropoutKey key(1, 2, 3, 4), next(1, 3, 3, 4), later(1, 2, 3, 5);
  const int64_t seed = cuda::attention_seed(Dropout(key, 6, 0.1));
  EXPECT_GE(seed, 0);
  EXPECT_EQ(seed, cuda::attention_seed(Dropout(key, 6, 0.1)));
  EXPECT_NE(seed, cuda::attention_seed(Dropout(key, 7, 0.1)));
  EXPECT_NE(seed, cuda::attention_seed(Dropout(next, 6, 0.1)));
  EXPECT_NE(seed, cuda::attention_seed(Dropout(later, 6, 0.1)));
}

TEST(CudaAttention, LogSumsArePackedAndPaddedAgain) {
  const PackedBatch batch = batch_of({3, 40, 1});
  const Input input(batch, at::kCPU);
  const at::Tensor lse_TH = random_tensor({batch.tokens(), 2}, at::kFloat, 1);
  const at::Tensor padded_RHL = cuda::padded_lse_RHL(input, lse_TH);
  ASSERT_EQ(padded_RHL.sizes(), at::IntArrayRef({3, 2, 64}));
  EXPECT_TRUE(padded_RHL.is_contiguous());
  EXPECT_TRUE(same_bits(padded_RHL[1].narrow(1, 0, 40), lse_TH.narrow(0, 3, 40).t().contiguous()));
  EXPECT_TRUE(padded_RHL[0].narrow(1, 3, 61).isinf().all().item<bool>());
  EXPECT_TRUE(same_bits(cuda::packed_lse_TH(input, padded_RHL), lse_TH));
}

}  // namespace

}  // namespace st::test
