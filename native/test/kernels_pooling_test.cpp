// The kernels that sum over rows against their references: gradients of biases, pooling and lengths of rows.
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "core/device.h"
#include "ops/linear.h"
#include "ops/pooling.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

const std::vector<int64_t> kWidths = {1, 17, 100, 384, 768};

TEST(Kernels, BiasBackward) {
  for (at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (int64_t width : kWidths) {
      for (int64_t tokens : {1, 2, 3, 4, 5, 130, 515}) {
        SCOPED_TRACE(std::string(c10::toString(type)) + ", width " + std::to_string(width) + ", tokens " +
                     std::to_string(tokens));
        const at::Tensor d_y = random_tensor({tokens, width}, type, 1);
        at::Tensor actual = at::ones({width}, master_dtype(type)), expected = actual.to(at::kDouble);
        bias_backward(d_y, actual);
        reference::bias_backward(d_y.to(at::kDouble), expected);
        expect_close(actual.to(at::kDouble), expected, type == at::kDouble ? 1e-14 : 2e-6, "d_bias");
      }
    }
  }
}

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
