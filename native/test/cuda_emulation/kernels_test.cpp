// kernels.cu on the CPU: grids, blocks, shared memory and sums over parts, beside the ATen references.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cstring>
#include <numeric>

#include "core/upload.h"
#include "cuda/dropout_site.h"
#include "cuda/launch.h"
#include "cuda_runtime.h"
#include "emulation.h"
#include "ops/cuda.h"
#include "ops/device_update.h"
#include "ops/pooling.h"
#include "ops/similarity.h"
#include "support.h"

namespace st::test {

namespace {

using emulation::Order;

template <typename T>
T* raw(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

// Not a number is the same as itself.
bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  return a.nbytes() == b.nbytes() && std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

// The tensors of a launch, and the launch in several orders of blocks and threads, which must all give the same bits.
class Launch {
 public:
  // @param orders of which the first two are as the numbers of blocks and threads, and the other way
  explicit Launch(int orders = 4) : orders_(orders) { cudaStreamCreate(&stream_); }
  ~Launch() {
    emulation::forget_memory();
    emulation::set_order(Order::kAscending);
    cudaStreamDestroy(stream_);
  }

  Launch& reads(const at::Tensor& tensor) {
    if (tensor.defined()) emulation::allow(tensor.data_ptr(), tensor.nbytes(), tensor.element_size(), false);
    return *this;
  }
  Launch& writes(const at::Tensor& tensor) {
    emulation::allow(tensor.data_ptr(), tensor.nbytes(), tensor.element_size(), true);
    written_.push_back(tensor);
    return *this;
  }

  // @param launch queues the kernels on the stream that it is given, and returns the error of that
  template <typename Work>
  void run(const Work& launch) {
    std::vector<at::Tensor> before, first;
    for (const at::Tensor& tensor : written_) before.push_back(tensor.clone());
    for (int i = 0; i < orders_; ++i) {
      emulation::set_order(i == 0 ? Order::kAscending : i == 1 ? Order::kDescending : Order::kRandom, i);
      for (size_t k = 0; k < written_.size(); ++k) written_[k].copy_(before[k]);
      const char* error = launch(static_cast<void*>(stream_));
      ASSERT_EQ(error, nullptr) << error;
      // Nothing runs before the host waits.
      if (i == 0) {
        for (size_t k = 0; k < written_.size(); ++k) ASSERT_TRUE(same_bytes(written_[k], before[k]));
      }
      const cudaError_t status = cudaStreamSynchronize(stream_);
      ASSERT_EQ(emulation::take_faults(), "");
      ASSERT_EQ(status, cudaSuccess);
      for (size_t k = 0; k < written_.size(); ++k) {
        if (i == 0) first.push_back(written_[k].clone());
        ASSERT_TRUE(same_bytes(written_[k], first[k])) << "in another order tensor " << k << " becomes another";
      }
    }
  }

 private:
  int orders_;
  cudaStream_t stream_ = nullptr;
  std::vector<at::Tensor> written_;
};

// Rows of 1 to 9 tokens.
PackedBatch batch_of_tokens(int64_t tokens) {
  std::vector<int> lengths;
  for (int64_t left = tokens; left > 0; left -= lengths.back()) {
    lengths.push_back(static_cast<int>(std::min<int64_t>(left, 1 + static_cast<int64_t>(lengths.size()) * 5 % 9)));
  }
  return batch_of(lengths);
}

template <typename S>
void check_residual_norm(at::ScalarType type, int64_t tokens, int64_t width, double probability) {
  SCOPED_TRACE(std::to_string(tokens) + " x " + std::to_string(width) + ", " + c10::toString(type) + ", dropout " +
               std::to_string(probability));
  const PackedBatch batch = batch_of_tokens(tokens);
  const Input input(batch, at::kCPU);
  const Dropout dropout(key_of_part(), 5, probability);
  const NormWeights weights{random_tensor({width}, at::kFloat, 1) + 1.5, random_tensor({width}, at::kFloat, 2), 1e-5};
  const at::Tensor bias = random_tensor({width}, at::kFloat, 3), residual = random_tensor({tokens, width}, type, 4);
  const at::Tensor before = random_tensor({tokens, width}, type, 5), d_out = random_tensor({tokens, width}, type, 6);
  // One number of a row, or two, are all mean: what is left is the square root of epsilon.
  const double tolerance = (type == at::kFloat ? 2e-5 : 8e-3) * (width < 8 ? 50 : 1);

  const at::Tensor sum = before.clone(), out = at::zeros_like(sum);
  const at::Tensor e_sum = before.clone(), e_out = at::zeros_like(sum);
  const at::Tensor mean = at::zeros({tokens}), rstd = at::zeros({tokens}), e_mean = at::zeros({tokens}),
                   e_rstd = at::zeros({tokens});
  reference::residual_norm(input, DropoutMask{dropout, {}}, weights, bias, residual, e_sum, e_out, e_mean, e_rstd);
  Launch()
      .reads(input.rows_T)
      .reads(input.positions_T)
      .reads(bias)
      .reads(weights.gamma_D)
      .reads(weights.beta_D)
      .reads(residual)
      .writes(sum)
      .writes(out)
      .writes(mean)
      .writes(rstd)
      .run([&](void* stream) {
        const cuda::ResidualNorm<S> call{tokens,
                                         width,
                                         1e-5f,
                                         cuda::site_of(dropout, {}),
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
        return cuda::launch(call, stream);
      });
  expect_close(sum, e_sum, tolerance, "sum");
  expect_close(out, e_out, tolerance, "out");
  expect_close(mean, e_mean, 5e-5, "mean");
  expect_close(rstd, e_rstd, 5e-5 * (width < 8 ? 50 : 1), "rstd");

  const at::Tensor d_linear = at::zeros_like(sum), d_residual = d_out.clone();  // in the memory of d_out
  const at::Tensor e_linear = at::zeros_like(sum), e_residual = at::zeros_like(sum);
  const at::Tensor totals = at::ones({3, width}), e_totals = at::ones({3, width});
  const at::Tensor parts = at::zeros({cuda::residual_norm_parts(tokens), 3, width});
  reference::residual_norm_backward(input, DropoutMask{dropout, {}}, weights, d_out, {}, e_sum, e_mean, e_rstd,
                                    e_residual, e_linear, e_totals[0], e_totals[1], e_totals[2]);
  Launch()
      .reads(input.rows_T)
      .reads(input.positions_T)
      .reads(weights.gamma_D)
      .reads(e_sum)
      .reads(e_mean)
      .reads(e_rstd)
      .writes(d_residual)
      .writes(d_linear)
      .writes(totals)
      .writes(parts)
      .run([&](void* stream) {
        const cuda::ResidualNormBackward<S> call{tokens,
                                                 width,
                                                 cuda::site_of(dropout, {}),
                                                 raw<int32_t>(input.rows_T),
                                                 raw<int32_t>(input.positions_T),
                                                 raw<float>(weights.gamma_D),
                                                 raw<S>(d_residual),
                                                 raw<S>(e_sum),
                                                 raw<float>(e_mean),
                                                 raw<float>(e_rstd),
                                                 raw<S>(d_residual),
                                                 raw<S>(d_linear)};
        const cuda::NormGradients to{raw<float>(totals), raw<float>(totals) + width, raw<float>(totals) + 2 * width};
        return cuda::launch(call, to, raw<float>(parts), stream);
      });
  expect_close(d_residual, e_residual, tolerance, "d_residual");
  expect_close(d_linear, e_linear, tolerance, "d_linear");
  expect_close(totals, e_totals, 5e-5 * (width < 8 ? 50 : 1), "sums of gamma, beta, bias");
}

// Widths around the lanes of a warp and around what a lane keeps.
TEST(CudaEmulation, ResidualNormAtAllWidths) {
  for (int64_t width : {1, 2, 31, 32, 33, 100, 383, 384, 385, 768, 769, 1000, 1023, 1024}) {
    check_residual_norm<float>(at::kFloat, 9, width, 0.1);
    check_residual_norm<cuda::Bf16>(at::kBFloat16, 9, width, 0.1);
  }
}

// Rows around the warps of a block, and around the most blocks that sum (264 of 8 warps).
TEST(CudaEmulation, ResidualNormAtAllRowCounts) {
  for (int64_t tokens : {1, 7, 8, 15, 16, 17, 63, 64, 65}) check_residual_norm<float>(at::kFloat, tokens, 48, 0);
  check_residual_norm<float>(at::kFloat, 264 * 8 + 1, 5, 0.1);
}

TEST(CudaEmulation, DropoutFactors) {
  for (int64_t width : {1, 31, 32, 33, 127, 128, 129, 1024}) {
    for (int64_t tokens : {1, 8, 9}) {
      SCOPED_TRACE(std::to_string(tokens) + " x " + std::to_string(width));
      const PackedBatch batch = batch_of_tokens(tokens);
      const Input input(batch, at::kCPU);
      const Dropout dropout(key_of_part(), 5, 0.3);
      Dropout other = dropout;
      other.key = 77;
      const at::Tensor key_1 = at::zeros({1}, at::kLong), found = at::zeros({tokens, width});
      *key_1.data_ptr<int64_t>() = static_cast<int64_t>(dropout.key);
      // Without rows: those of a classification head, counted from 0.
      for (bool of_tokens : {true, false}) {
        Launch().reads(key_1).reads(input.rows_T).reads(input.positions_T).writes(found).run([&](void* stream) {
          const cuda::DropoutFactors call{tokens,
                                          width,
                                          cuda::site_of(other, key_1),
                                          of_tokens ? raw<int32_t>(input.rows_T) : nullptr,
                                          of_tokens ? raw<int32_t>(input.positions_T) : nullptr,
                                          raw<float>(found)};
          return cuda::launch(call, stream);
        });
        const PackedBatch rows = batch_of(std::vector<int>(static_cast<size_t>(tokens), 1));
        EXPECT_TRUE(same_bits(found, of_tokens
                                         ? dropout_multiplier_TD(dropout, input, width, at::kFloat)
                                         : dropout_multiplier_RD(dropout, Input(rows, at::kCPU), width, at::kFloat)));
      }
    }
  }
}

void check_mean_pool(const std::vector<int>& lengths, int64_t width, bool normalize) {
  SCOPED_TRACE(std::to_string(lengths.size()) + " rows x " + std::to_string(width) + (normalize ? ", normalised" : ""));
  const PackedBatch batch = batch_of(lengths);
  const int64_t rows = batch.rows();
  at::Tensor x_TD = random_tensor({batch.tokens(), width}, at::kFloat, 1) + 0.1;
  const at::Tensor d_out_RD = random_tensor({rows, width}, at::kFloat, 2);
  at::Tensor e_RD, e_d_TD;
  {
    const at::AutoGradMode with_grad(true);
    const at::Tensor leaf = x_TD.detach().requires_grad_(true);
    e_RD = pool(leaf, batch, {"mean"}, true);
    if (normalize) e_RD = normalize_rows(e_RD);
    e_d_TD = torch::autograd::grad({e_RD}, {leaf}, {d_out_RD})[0];
    e_RD = e_RD.detach();
  }
  const at::Tensor offsets = upload<int32_t>(batch.offsets, at::kCPU);
  const int32_t *first_R = raw<int32_t>(offsets), *end_R = first_R + 1;
  const at::Tensor out_RD = at::zeros({rows, width}), norm_R = at::zeros({rows}), d_TD = at::zeros_like(x_TD);
  Launch().reads(offsets).reads(x_TD).writes(out_RD).writes(norm_R).run([&](void* stream) {
    const cuda::MeanPool call{
        rows, width, first_R, end_R, normalize, raw<float>(x_TD), raw<float>(out_RD), raw<float>(norm_R)};
    return cuda::launch(call, stream);
  });
  Launch().reads(offsets).reads(d_out_RD).reads(out_RD).reads(norm_R).writes(d_TD).run([&](void* stream) {
    const cuda::MeanPoolBackward call{rows,
                                      width,
                                      first_R,
                                      end_R,
                                      normalize,
                                      raw<float>(d_out_RD),
                                      raw<float>(out_RD),
                                      raw<float>(norm_R),
                                      raw<float>(d_TD)};
    return cuda::launch(call, stream);
  });
  expect_close(out_RD, e_RD, 1e-5, "embeddings");
  // A row of one number is 1 or -1 when it is normalised: its gradient is 0, but for rounding.
  if (width > 1 || !normalize) expect_close(d_TD, e_d_TD, 1e-4, "gradient");
}

TEST(CudaEmulation, MeanPool) {
  for (bool normalize : {false, true}) {
    for (int64_t width : {1, 2, 31, 32, 33, 384, 385, 768, 1023, 1024})
      check_mean_pool({3, 1, 9, 40}, width, normalize);
    for (size_t rows : {1, 7, 8, 9, 16, 17}) check_mean_pool(std::vector<int>(rows, 3), 40, normalize);
  }
}

TEST(CudaEmulation, SoftmaxLoss) {
  for (int64_t rows : {1, 7, 8, 9}) {
    for (int64_t columns : {rows + 3, int64_t{31}, int64_t{32}, int64_t{33}, int64_t{77}, int64_t{1024}}) {
      const int64_t first_target = columns - rows;
      SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(columns));
      const at::Tensor scores_RN = random_tensor({rows, columns}, at::kFloat, 1);
      std::vector<int64_t> targets(static_cast<size_t>(rows));
      std::iota(targets.begin(), targets.end(), first_target);
      at::Tensor e_loss_R, e_d_RN;
      {
        const at::AutoGradMode with_grad(true);
        const at::Tensor leaf = scores_RN.detach().requires_grad_(true);
        e_loss_R = at::cross_entropy_loss(leaf * 20, upload<int64_t>(targets, at::kCPU), {}, at::Reduction::None);
        e_d_RN = torch::autograd::grad({e_loss_R.mean()}, {leaf})[0];
      }
      const at::Tensor loss_R = at::zeros({rows}), in_place_RN = scores_RN.clone();
      Launch().writes(in_place_RN).writes(loss_R).run([&](void* stream) {
        const cuda::SoftmaxLoss call{rows,
                                     columns,
                                     first_target,
                                     20,
                                     1.0f / static_cast<float>(rows),
                                     raw<float>(in_place_RN),
                                     raw<float>(loss_R),
                                     raw<float>(in_place_RN)};
        return cuda::launch(call, stream);
      });
      expect_close(loss_R, e_loss_R.detach(), 1e-5, "loss");
      expect_close(in_place_RN, e_d_RN, 1e-5, "gradient");
    }
  }
}

// Beside LibTorch's operations: what cuda::clip does with tensors of the CPU.
TEST(CudaEmulation, Clip) {
  for (double squares : {4.0, 0.25, 0.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    for (double max_norm : {0.0, 1.0}) {
      SCOPED_TRACE(std::to_string(squares) + ", at most " + std::to_string(max_norm));
      const at::Tensor squares_0 = at::zeros({}, at::kDouble).fill_(squares);
      const auto state = [] {
        const auto one = [](at::ScalarType type) { return at::ones({}, type); };
        return std::array{one(at::kDouble), one(at::kDouble), one(at::kDouble),
                          one(at::kFloat),  one(at::kFloat),  one(at::kFloat)};
      };
      const auto found = state(), expected = state();
      Launch launch;
      launch.reads(squares_0);
      for (const at::Tensor& tensor : found) launch.writes(tensor);
      launch.run([&](void* stream) {
        const cuda::Clip call{raw<double>(squares_0), max_norm,
                              raw<double>(found[0]),  raw<double>(found[1]),
                              raw<double>(found[2]),  raw<float>(found[3]),
                              raw<float>(found[4]),   raw<float>(found[5])};
        return cuda::launch(call, stream);
      });
      cuda::ClipState to;
      to.norm = expected[0], to.updates = expected[1], to.skips = expected[2];
      to.divisor = expected[3], to.skipped = expected[4], to.advanced = expected[5];
      cuda::clip(squares_0, max_norm, to);
      const bool finite = std::isfinite(squares);
      for (size_t i = 0; i < found.size(); ++i) {
        // A NaN has many forms; and who leaves an update out needs no divisor.
        if (i == 0 && std::isnan(squares)) continue;
        if (i == 3 && !finite) continue;
        EXPECT_TRUE(same_bits(found[i], expected[i])) << i;
      }
    }
  }
}

void check_adamw(int64_t count, bool bf16, bool skipped, int orders = 4) {
  SCOPED_TRACE(std::to_string(count) + (bf16 ? ", with a copy" : "") + (skipped ? ", left out" : ""));
  const at::Tensor rate = at::ones({}) * 1e-2, step = at::ones({}) * 3, divisor = at::ones({}) * 2,
                   skips = at::ones({}) * (skipped ? 1 : 0);
  const auto state = [&] {
    return std::array{random_tensor({count}, at::kFloat, 1), random_tensor({count}, at::kFloat, 2),
                      random_tensor({count}, at::kFloat, 3), random_tensor({count}, at::kFloat, 4).square()};
  };
  const auto found = state(), expected = state();
  const auto copy_of = [&](const at::Tensor& value) { return bf16 ? value.to(at::kBFloat16) : at::Tensor(); };
  const at::Tensor copy = copy_of(found[0]), e_copy = copy_of(expected[0]);
  const cuda::AdamWConstants constants{.weight_decay = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
  Launch launch(orders);
  launch.reads(rate).reads(step).reads(divisor).reads(skips);
  for (const at::Tensor& tensor : found) launch.writes(tensor);
  if (bf16) launch.writes(copy);
  launch.run([&](void* stream) {
    const cuda::AdamWStep call{0.01f,
                               0.999f,
                               1e-8f,
                               static_cast<float>(1 - 0.9),
                               static_cast<float>(1 - 0.999),
                               static_cast<float>(std::log(0.9)),
                               static_cast<float>(std::log(0.999)),
                               raw<float>(rate),
                               raw<float>(step),
                               raw<float>(divisor),
                               raw<float>(skips)};
    const cuda::AdamWBuffers buffers{count,
                                     raw<float>(found[0]),
                                     raw<float>(found[1]),
                                     raw<float>(found[2]),
                                     raw<float>(found[3]),
                                     raw<cuda::Bf16>(copy)};
    return cuda::launch(call, buffers, stream);
  });
  cuda::UpdateScalars scalars;
  scalars.step = step, scalars.divisor = divisor, scalars.skipped = skips;
  cuda::AdamWTensors tensors;
  tensors.value = expected[0], tensors.grad = expected[1], tensors.exp_avg = expected[2];
  tensors.exp_avg_sq = expected[3], tensors.copy = e_copy;
  cuda::adamw(constants, rate, scalars, tensors);
  constexpr const char* kNames[] = {"value", "grad", "exp_avg", "exp_avg_sq"};
  for (size_t i = 0; i < found.size(); ++i) expect_close(found[i], expected[i], 1e-6, kNames[i]);
  if (bf16) expect_close(copy, e_copy, 8e-3, "copy");
}

TEST(CudaEmulation, AdamW) {
  for (int64_t count : {1, 255, 256, 257, 1000}) {
    check_adamw(count, false, false);
    check_adamw(count, true, false);
    check_adamw(count, true, true);
  }
  // More than a thread for each number.
  check_adamw(8192 * 256 + 5, false, false, 1);
}

TEST(CudaEmulation, NothingToDoIsNoLaunch) {
  EXPECT_EQ(cuda::launch(cuda::MeanPool{}, nullptr), nullptr);
  EXPECT_EQ(cuda::launch(cuda::SoftmaxLoss{}, nullptr), nullptr);
  EXPECT_EQ(cuda::launch(cuda::ResidualNorm<float>{}, nullptr), nullptr);
  EXPECT_EQ(cuda::launch(cuda::AdamWStep{}, cuda::AdamWBuffers{}, nullptr), nullptr);
  EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
}

}  // namespace

}  // namespace st::test
