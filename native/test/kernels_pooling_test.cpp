// The kernels that sum over rows against their references: pooling and lengths of rows.
#include "ops/pooling.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

const std::vector<int64_t> kWidths = {1, 17, 100, 384, 768};

TEST(Kernels, PoolingWithoutAutogradEqualsPoolingWithIt) {
  PackedBatch batch = batch_of({1, 2, 15, 40, 3, 7});
  batch.prompt_lengths = {1, 1, 4, 40, 0, 2};
  for (at::ScalarType type : {at::kFloat, at::kDouble}) {
    for (int64_t width : kWidths) {
      for (const char* mode : {"mean", "mean_sqrt_len_tokens", "weightedmean", "max", "cls", "lasttoken"}) {
        for (bool include_prompt : {true, false}) {
          SCOPED_TRACE(std::string(mode) + ", width " + std::to_string(width));
          const at::Tensor x = random_tensor({batch.tokens(), width}, type, 1);
          const at::Tensor followed = pool(x.detach().requires_grad_(true), batch, {mode, "mean"}, include_prompt);
          EXPECT_TRUE(followed.requires_grad());
          expect_close(pool(x, batch, {mode, "mean"}, include_prompt), followed.detach(),
                       type == at::kDouble ? 1e-14 : 1e-6, mode);
        }
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
