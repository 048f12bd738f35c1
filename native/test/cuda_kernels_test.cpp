// The arithmetic of the CUDA kernels (cuda/*.h) on the host, and the way of tensors to them. The kernels themselves run
// in cuda_emulation_test.cpp.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <barrier>
#include <cmath>
#include <limits>
#include <thread>

#include "core/upload.h"
#include "cuda/dropout_site.h"
#include "cuda/mean_pool.h"
#include "cuda/residual_norm.h"
#include "cuda/softmax_loss.h"
#include "ops/cuda.h"
#include "ops/pooling.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

cuda::DropoutSite site_of(const Dropout& dropout) {
  return cuda::site_of(dropout, at::Tensor());
}

template <typename T>
T* raw(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

TEST(CudaKernels, MasksAreThoseOfTheOtherDevices) {
  const Dropout dropout(key_of_part(), 9, 0.3);
  for (uint32_t row : {0u, 4u}) {
    for (uint32_t position : {0u, 17u}) {
      cuda::TokenDropout masks(site_of(dropout), row, position);
      for (uint32_t column = 0; column < 300; ++column) {
        ASSERT_EQ(masks.multiplier(column), static_cast<float>(dropout.multiplier(row, position, column)));
      }
    }
  }
  cuda::TokenDropout none(site_of(Dropout()), 1, 1);
  EXPECT_EQ(none.multiplier(5), 1);
}

TEST(CudaKernels, Bfloat16RoundsAsLibTorch) {
  std::vector<float> values = {0.0f,
                               -0.0f,
                               1.0f,
                               1.00390625f,
                               1.01171875f,
                               3.3895314e38f,
                               1e-40f,
                               std::numeric_limits<float>::infinity(),
                               std::numeric_limits<float>::quiet_NaN()};
  const at::Tensor random = random_tensor({500}, at::kFloat, 3, 100);
  values.insert(values.end(), raw<float>(random), raw<float>(random) + 500);
  for (float value : values) {
    cuda::Bf16 stored;
    cuda::store(stored, value);
    const float expected = static_cast<float>(c10::BFloat16(value)), found = cuda::load(stored);
    ASSERT_TRUE(found == expected || (std::isnan(found) && std::isnan(expected))) << value;
  }
}

// Bit for bit, with the key from the call and from memory, for the rows of a batch and for rows counted from 0.
TEST(CudaKernels, DropoutFactors) {
  const PackedBatch batch = batch_of({3, 1, 9});
  const Input input(batch, at::kCPU);
  const Dropout dropout(DropoutKey(1, 2, 3, 4), 5, 0.3);
  Dropout other = dropout;
  other.key = 77;
  at::Tensor key_1 = at::zeros({1}, at::kLong);
  *key_1.data_ptr<int64_t>() = static_cast<int64_t>(dropout.key);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const at::Tensor expected_TD = dropout_multiplier_TD(dropout, input, 150, type);
    const auto found = [&](const Dropout& given, const at::Tensor& key) {
      return cuda::dropout_factors(given, key, batch.tokens(), input.rows_T, input.positions_T, 150, type);
    };
    EXPECT_TRUE(same_bits(found(dropout, {}), expected_TD));
    EXPECT_TRUE(same_bits(found(other, key_1), expected_TD));
    EXPECT_FALSE(same_bits(found(other, {}), expected_TD));
    EXPECT_TRUE(same_bits(cuda::dropout_factors(dropout, {}, batch.rows(), {}, {}, 150, type),
                          dropout_multiplier_RD(dropout, input, 150, type)));
  }
}

// The way from tensors to the kernels and back, with autograd.
TEST(CudaKernels, MeanPoolIsDifferentiable) {
  const PackedBatch batch = batch_of({3, 2, 9});
  const at::Tensor x_TD = random_tensor({batch.tokens(), 20}, at::kFloat, 1),
                   d_RD = random_tensor({3, 20}, at::kFloat, 2);
  const std::vector<int32_t> first = {0, 3, 6}, end = {3, 5, 14};
  const at::AutoGradMode with_grad(true);
  for (bool normalize : {false, true}) {
    const at::Tensor leaf = x_TD.detach().requires_grad_(true), other = x_TD.detach().requires_grad_(true);
    const at::Tensor found =
        cuda::mean_pool(leaf, upload<int32_t>(first, at::kCPU), upload<int32_t>(end, at::kCPU), normalize);
    PackedBatch prompted = batch;
    prompted.prompt_lengths = {0, 0, 1};  // the last row from its second token on
    at::Tensor expected = pool(other, prompted, {"mean"}, false);
    if (normalize) expected = normalize_rows(expected);
    expect_close(found.detach(), expected.detach(), 1e-5, "embeddings");
    expect_close(torch::autograd::grad({found}, {leaf}, {d_RD})[0],
                 torch::autograd::grad({expected}, {other}, {d_RD})[0], 1e-5, "gradient");
  }
}

TEST(CudaKernels, SoftmaxLossIsDifferentiable) {
  const at::Tensor scores_RN = random_tensor({4, 9}, at::kFloat, 1), targets = at::empty({4}, at::kLong);
  for (int64_t row = 0; row < 4; ++row) raw<int64_t>(targets)[row] = 2 + row;
  const at::AutoGradMode with_grad(true);
  const at::Tensor leaf = scores_RN.detach().requires_grad_(true), other = scores_RN.detach().requires_grad_(true);
  const at::Tensor found = cuda::softmax_loss(leaf, 2, 20) / 4;
  const at::Tensor expected = at::cross_entropy_loss(other * 20, targets);
  expect_close(found.detach(), expected.detach(), 1e-5, "loss");
  expect_close(torch::autograd::grad({found}, {leaf})[0], torch::autograd::grad({expected}, {other})[0], 1e-5,
               "gradient");
}

TEST(CudaKernels, WeightGradientsAddUp) {
  const at::Tensor d_y_TO = random_tensor({9, 5}, at::kBFloat16, 1), x_TI = random_tensor({9, 7}, at::kBFloat16, 2);
  const at::Tensor found = at::ones({5, 7}), expected = d_y_TO.to(at::kFloat).t().matmul(x_TI.to(at::kFloat)) + 1;
  cuda::add_weight_gradient(d_y_TO, x_TI, found);
  expect_close(found, expected, 8e-3, "d_weight");
}

}  // namespace

}  // namespace st::test
