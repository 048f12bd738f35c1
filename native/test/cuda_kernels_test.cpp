// The arithmetic of the CUDA kernels (cuda/*.h), run on the host: by one lane, and by 32 that share rows as a warp
// does.
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

constexpr int kLanes = 32;

// What the lanes of a warp share: they wait for each other where a warp exchanges values.
struct SharedWarp {
  std::barrier<> barrier{kLanes};
  float values[kLanes];
};

class LaneThread {
 public:
  LaneThread(SharedWarp& warp, int lane) : warp_(&warp), lane_(lane) {}
  int lane() const { return lane_; }
  int lanes() const { return kLanes; }
  float sum(float x) const {
    return reduce(x, [](float a, float b) { return a + b; });
  }
  float highest(float x) const {
    return reduce(x, [](float a, float b) { return std::max(a, b); });
  }
  void sync() const { warp_->barrier.arrive_and_wait(); }

 private:
  // In the order of kernels.cu: a lane's value is combined with that of the lane whose number differs in one bit.
  template <typename Combine>
  float reduce(float x, const Combine& combine) const {
    for (int mask = kLanes / 2; mask > 0; mask /= 2) {
      warp_->values[lane_] = x;
      sync();
      const float other = warp_->values[lane_ ^ mask];
      sync();
      x = combine(x, other);
    }
    return x;
  }

  SharedWarp* warp_;
  int lane_;
};

// Calls work(lane, row) for all rows as kernels do, by the 32 lanes of a warp at once.
template <typename Work>
void as_warp(int64_t rows, const Work& work) {
  SharedWarp warp;
  std::vector<std::jthread> lanes;
  for (int lane = 0; lane < kLanes; ++lane) {
    lanes.emplace_back([&, lane] {
      for (int64_t row = 0; row < rows; ++row) work(LaneThread(warp, lane), row);
    });
  }
}

cuda::DropoutSite site_of(const Dropout& dropout) {
  return cuda::site_of(dropout, at::Tensor());
}

template <typename T>
T* raw(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

TEST(CudaKernels, MasksAreThoseOfTheOtherDevices) {
  const Dropout dropout(DropoutKey(5, 6, 7, 3), 9, 0.3);
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

// Widths of a warp's 12, 24 and 32 columns a lane, and what does not divide.
template <typename S, int Columns>
void check_residual_norm(at::ScalarType type, int64_t width, double probability, bool warp) {
  SCOPED_TRACE(std::to_string(width) + (warp ? " as warp, " : " as one lane, ") + c10::toString(type) + ", dropout " +
               std::to_string(probability));
  const PackedBatch batch = batch_of({1, 5, 2});
  const Input input(batch, at::kCPU);
  const int64_t tokens = input.tokens();
  const Dropout dropout(DropoutKey(1, 2, 3, 4), 5, probability);
  const NormWeights weights{random_tensor({width}, at::kFloat, 1) + 1.5, random_tensor({width}, at::kFloat, 2), 1e-12};
  const at::Tensor bias = random_tensor({width}, at::kFloat, 3), residual = random_tensor({tokens, width}, type, 4);
  const at::Tensor before = random_tensor({tokens, width}, type, 5), d_out = random_tensor({tokens, width}, type, 6);
  const double tolerance = type == at::kFloat ? 2e-5 : 8e-3;

  at::Tensor sum = before.clone(), out = at::zeros_like(sum);
  at::Tensor e_sum = before.clone(), e_out = at::zeros_like(sum);
  const at::Tensor mean = at::zeros({tokens}), rstd = at::zeros({tokens}), e_mean = at::zeros({tokens}),
                   e_rstd = at::zeros({tokens});
  reference::residual_norm(input, DropoutMask{dropout, {}}, weights, bias, residual, e_sum, e_out, e_mean, e_rstd);
  const cuda::ResidualNorm<S> call{tokens,
                                   width,
                                   1e-12f,
                                   site_of(dropout),
                                   raw<int32_t>(input.rows_T),
                                   raw<int32_t>(input.positions_T),
                                   raw<float>(bias),
                                   raw<float>(weights.gamma_D),
                                   raw<float>(weights.beta_D),
                                   raw<S>(residual),
                                   raw<S>(sum),
                                   raw<S>(out),
                                   raw<float>(mean),
                                   raw<float>(rstd)};
  if (warp) {
    as_warp(tokens, [&](const LaneThread& lane, int64_t t) { cuda::residual_norm_token<Columns>(call, lane, t); });
  } else {
    for (int64_t t = 0; t < tokens; ++t) cuda::residual_norm_token<1024>(call, cuda::OneLane(), t);
  }
  expect_close(sum, e_sum, tolerance, "sum");
  expect_close(out, e_out, tolerance, "out");
  expect_close(mean, e_mean, 5e-5, "mean");
  expect_close(rstd, e_rstd, 5e-5, "rstd");

  const at::Tensor d_linear = at::zeros_like(sum), d_residual = d_out.clone();  // in the memory of d_out
  const at::Tensor e_linear = at::zeros_like(sum), e_residual = at::zeros_like(sum);
  const at::Tensor totals = at::ones({3, width}), e_totals = at::ones({3, width});
  reference::residual_norm_backward(input, DropoutMask{dropout, {}}, weights, d_out, {}, e_sum, e_mean, e_rstd,
                                    e_residual, e_linear, e_totals[0], e_totals[1], e_totals[2]);
  const cuda::ResidualNormBackward<S> backward{tokens,
                                               width,
                                               site_of(dropout),
                                               raw<int32_t>(input.rows_T),
                                               raw<int32_t>(input.positions_T),
                                               raw<float>(weights.gamma_D),
                                               raw<S>(d_residual),
                                               raw<S>(e_sum),
                                               raw<float>(e_mean),
                                               raw<float>(e_rstd),
                                               raw<S>(d_residual),
                                               raw<S>(d_linear)};
  const auto add = [&](int64_t column, float gamma, float beta, float bias) {
    raw<float>(totals)[column] += gamma;
    raw<float>(totals)[width + column] += beta;
    raw<float>(totals)[2 * width + column] += bias;
  };
  if (warp) {
    std::vector<cuda::NormSums<Columns>> sums(kLanes);
    as_warp(tokens, [&](const LaneThread& lane, int64_t t) {
      cuda::residual_norm_backward_token<Columns>(backward, lane, t, sums[lane.lane()]);
    });
    for (int64_t c = 0; c < width; ++c) {
      const cuda::NormSums<Columns>& of_lane = sums[c % kLanes];
      add(c, of_lane.gamma[c / kLanes], of_lane.beta[c / kLanes], of_lane.bias[c / kLanes]);
    }
  } else {
    cuda::NormSums<1024> sums;
    for (int64_t t = 0; t < tokens; ++t) {
      cuda::residual_norm_backward_token<1024>(backward, cuda::OneLane(), t, sums);
    }
    for (int64_t c = 0; c < width; ++c) add(c, sums.gamma[c], sums.beta[c], sums.bias[c]);
  }
  expect_close(d_residual, e_residual, tolerance, "d_residual");
  expect_close(d_linear, e_linear, tolerance, "d_linear");
  expect_close(totals, e_totals, 5e-5, "sums of gamma, beta, bias");
}

TEST(CudaKernels, ResidualNorm) {
  for (double probability : {0.0, 0.1}) {
    for (bool warp : {false, true}) {
      for (int64_t width : {7, 33, 384}) {
        check_residual_norm<float, 12>(at::kFloat, width, probability, warp);
        check_residual_norm<cuda::Bf16, 12>(at::kBFloat16, width, probability, warp);
      }
      check_residual_norm<float, 24>(at::kFloat, 768, probability, warp);
      check_residual_norm<cuda::Bf16, 32>(at::kBFloat16, 1000, probability, warp);
    }
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

TEST(CudaKernels, MeanPool) {
  const PackedBatch batch = batch_of({3, 1, 9, 40});
  const int64_t rows = batch.rows(), width = 100;
  at::Tensor x_TD = random_tensor({batch.tokens(), width}, at::kFloat, 1);
  x_TD.narrow(0, 3, 1).zero_();  // the second row: nothing to normalise
  const at::Tensor d_out_RD = random_tensor({rows, width}, at::kFloat, 2);
  for (bool normalize : {false, true}) {
    SCOPED_TRACE(normalize);
    at::Tensor e_RD, e_d_TD;
    {
      const at::AutoGradMode with_grad(true);
      const at::Tensor leaf = x_TD.detach().requires_grad_(true);
      e_RD = pool(leaf, batch, {"mean"}, true);
      if (normalize) e_RD = normalize_rows(e_RD);
      e_d_TD = torch::autograd::grad({e_RD}, {leaf}, {d_out_RD})[0];
      e_RD = e_RD.detach();
    }
    for (bool warp : {false, true}) {
      SCOPED_TRACE(warp);
      const at::Tensor out_RD = at::zeros({rows, width}), norm_R = at::zeros({rows}), d_TD = at::zeros_like(x_TD);
      const cuda::MeanPool forward{rows,
                                   width,
                                   batch.offsets.data(),
                                   batch.offsets.data() + 1,
                                   normalize,
                                   raw<float>(x_TD),
                                   raw<float>(out_RD),
                                   raw<float>(norm_R)};
      const cuda::MeanPoolBackward backward{rows,
                                            width,
                                            batch.offsets.data(),
                                            batch.offsets.data() + 1,
                                            normalize,
                                            raw<float>(d_out_RD),
                                            raw<float>(out_RD),
                                            raw<float>(norm_R),
                                            raw<float>(d_TD)};
      if (warp) {
        as_warp(rows, [&](const LaneThread& lane, int64_t row) { cuda::mean_pool_row<12>(forward, lane, row); });
        as_warp(rows, [&](const LaneThread& lane, int64_t row) { cuda::mean_pool_backward_row(backward, lane, row); });
      } else {
        for (int64_t row = 0; row < rows; ++row) cuda::mean_pool_row<1024>(forward, cuda::OneLane(), row);
        for (int64_t row = 0; row < rows; ++row) cuda::mean_pool_backward_row(backward, cuda::OneLane(), row);
      }
      expect_close(out_RD, e_RD, 1e-5, "embeddings");
      // The gradient of the row of zeros is 1e12 times the others in both.
      for (int64_t row = 0; row < rows; ++row) {
        const auto part = [&](const at::Tensor& t) { return t.narrow(0, batch.offsets[row], batch.length(row)); };
        expect_close(part(d_TD), part(e_d_TD), 1e-4, "gradient of row " + std::to_string(row));
      }
    }
  }
}

TEST(CudaKernels, SoftmaxLoss) {
  const int64_t rows = 5, columns = 77, first_target = 3;
  const at::Tensor scores_RN = random_tensor({rows, columns}, at::kFloat, 1);
  const at::Tensor targets = at::empty({rows}, at::kLong);
  for (int64_t row = 0; row < rows; ++row) raw<int64_t>(targets)[row] = first_target + row;
  at::Tensor e_loss_R, e_d_RN;
  {
    const at::AutoGradMode with_grad(true);
    const at::Tensor leaf = scores_RN.detach().requires_grad_(true);
    e_loss_R = at::cross_entropy_loss(leaf * 20, targets, {}, at::Reduction::None);
    e_d_RN = torch::autograd::grad({e_loss_R.mean()}, {leaf})[0];
  }
  for (bool warp : {false, true}) {
    const at::Tensor loss_R = at::zeros({rows}), in_place_RN = scores_RN.clone();
    const cuda::SoftmaxLoss call{rows,
                                 columns,
                                 first_target,
                                 20,
                                 1.0f / rows,
                                 raw<float>(in_place_RN),
                                 raw<float>(loss_R),
                                 raw<float>(in_place_RN)};
    if (warp) {
      as_warp(rows, [&](const LaneThread& lane, int64_t row) { cuda::softmax_loss_row(call, lane, row); });
    } else {
      for (int64_t row = 0; row < rows; ++row) cuda::softmax_loss_row(call, cuda::OneLane(), row);
    }
    expect_close(loss_R, e_loss_R.detach(), 1e-5, "loss");
    expect_close(in_place_RN, e_d_RN, 1e-5, "gradient");
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
