// The device against the CPU. Skipped where there is none; bench/gpu.sh runs it with the own kernels and without.
#include "core/cuda_device.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <cstdlib>

#include "attention_case.h"
#include "core/device.h"
#include "core/features.h"
#include "cuda/attention.h"
#include "ops/cuda.h"
#include "ops/device_update.h"
#include "ops/pooling.h"
#include "ops/similarity.h"
#include "optim/adamw.h"
#include "training.h"
#if ST_WITH_CUDA
#include "cuda/device_call.h"
#include "cuda/launch.h"
#endif

namespace st::test {

namespace {

const std::vector<int> kShort = {3, 17, 64, 1}, kLong = {3, 200, 65, 128};

class CudaDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "no CUDA device";
  }
  const at::Device device_ = at::Device(at::kCUDA, 0);
};

double tolerance(at::ScalarType type) {
  return type == at::kFloat ? 1e-4 : 2e-2;
}

struct Attended {
  at::Tensor out, lse, d_qkv, d_bias;
};

// Forward and backward with the tensors of one seed on one device; the results on the CPU in float32.
Attended attend(const PackedBatch& batch, at::Device device, at::ScalarType type, const Dropout& dropout,
                bool reference, const AttentionShape& shape = shape_of_heads(3, 3, 32)) {
  const int64_t width = shape.heads * shape.head_dim, columns = width + 2 * shape.kv_heads * shape.head_dim;
  const Input input(batch, device);
  const at::Tensor qkv = random_tensor({batch.tokens(), columns}, type, 1).to(device);
  const at::Tensor d_out = random_tensor({batch.tokens(), width}, type, 2).to(device);
  at::Tensor out = at::zeros_like(d_out), d_qkv = at::zeros_like(qkv);
  const at::TensorOptions master = out.options().dtype(at::kFloat);
  at::Tensor lse = at::zeros({shape.heads, batch.tokens()}, master), d_bias = at::zeros({columns}, master);
  const AttentionCall call{.queries = rows_of(input), .keys = rows_of(input), .shape = shape, .dropout = dropout};
  const Projections parts = side_by_side(qkv, call.shape);
  (reference ? reference::attention : attention)(call, parts, out, lse, at::Tensor());
  (reference ? reference::attention_backward : attention_backward)(
      call, parts, out, lse, at::Tensor(), d_out,
      {.values = side_by_side(d_qkv, call.shape), .biases = side_by_side(d_bias, call.shape)});
  const auto home = [](const at::Tensor& x) { return x.to(at::kCPU, at::kFloat); };
  return {home(out), home(lse), home(d_qkv), home(d_bias)};
}

// What only flash attention takes, and what float32 leaves to the reference.
TEST_F(CudaDevice, MembersOfAttentionAreTheReference) {
  const PackedBatch batch = batch_of(kLong);
  for (const AttentionShape& shape :
       {shape_of_heads(4, 4, 32, true), shape_of_heads(4, 4, 32, false, 20), shape_of_heads(4, 2, 64),
        shape_of_heads(4, 1, 128, true, 33), shape_of_heads(2, 1, 256, true)}) {
    for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
      SCOPED_TRACE(std::string(c10::toString(type)) + ", heads of " + std::to_string(shape.head_dim) + ", window " +
                   std::to_string(shape.window));
      const Attended found = attend(batch, device_, type, Dropout(), false, shape);
      const Attended expected = attend(batch, at::kCPU, type, Dropout(), true, shape);
      expect_close(found.out, expected.out, tolerance(type), "out");
      expect_close(found.lse, expected.lse, tolerance(type), "lse");
      expect_close(found.d_qkv, expected.d_qkv, tolerance(type), "d_qkv");
      expect_close(found.d_bias, expected.d_bias, tolerance(type), "d_bias");
    }
  }
}

TEST_F(CudaDevice, AttentionIsTheReference) {
  for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const std::vector<int>& lengths : {kShort, kLong}) {
      SCOPED_TRACE(std::string(c10::toString(type)) + ", longest " + std::to_string(lengths[1]));
      const PackedBatch batch = batch_of(lengths);
      const Attended found = attend(batch, device_, type, Dropout(), false);
      const Attended expected = attend(batch, at::kCPU, type, Dropout(), true);
      expect_close(found.out, expected.out, tolerance(type), "out");
      expect_close(found.lse, expected.lse, tolerance(type), "lse");
      expect_close(found.d_qkv, expected.d_qkv, tolerance(type), "d_qkv");
      expect_close(found.d_bias, expected.d_bias, tolerance(type), "d_bias");
    }
  }
}

TEST_F(CudaDevice, AttentionDropsTheSameAgainAndInTheBackwardPass) {
  for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const std::vector<int>& lengths : {kShort, kLong}) {
      SCOPED_TRACE(std::string(c10::toString(type)) + ", longest " + std::to_string(lengths[1]));
      const PackedBatch batch = batch_of(lengths);
      const Dropout dropout(key_of_part(), 5, 0.3), other(key_of_part(), 6, 0.3);
      const Attended one = attend(batch, device_, type, dropout, false);
      expect_close(attend(batch, device_, type, dropout, false).out, one.out, 1e-6, "again");
      EXPECT_GT(relative_difference(attend(batch, device_, type, other, false).out, one.out), 1e-2);

      // out is linear in v, so with the same masks in both passes sum(out * d_out) = sum(v * d_v).
      const int64_t tokens = batch.tokens(), width = one.out.size(1);
      const at::Tensor v = random_tensor({tokens, 3 * width}, type, 1).to(at::kFloat).narrow(1, 2 * width, width);
      const at::Tensor d_out = random_tensor({tokens, width}, type, 2).to(at::kFloat);
      const at::Tensor by_token = (one.out * d_out).sum();
      const at::Tensor by_value = (v * one.d_qkv.narrow(1, 2 * width, width)).sum();
      const double size = (one.out * d_out).abs().sum().item<double>();
      EXPECT_NEAR(by_token.item<double>(), by_value.item<double>(), size * (type == at::kFloat ? 1e-4 : 1e-2));
    }
  }
}

struct Normed {
  at::Tensor sum, out, d_residual, d_linear, totals;
};

Normed norm_on(at::Device device, at::ScalarType type, int64_t width, double probability) {
  const PackedBatch batch = batch_of({1, 5, 200, 2000});  // more tokens than one round of all blocks
  const Input input(batch, device);
  DropoutMask mask = mask_for(Dropout(key_of_part(), 5, probability), batch.tokens(), width);
  if (mask.kept_TM.defined()) mask.kept_TM = mask.kept_TM.to(device);
  const auto there = [&](at::IntArrayRef shape, at::ScalarType t, uint64_t seed) {
    return random_tensor(shape, t, seed).to(device);
  };
  const NormWeights weights{there({width}, at::kFloat, 1) + 1.5, there({width}, at::kFloat, 2), 1e-12};
  const at::Tensor residual = there({batch.tokens(), width}, type, 4), d_out = there({batch.tokens(), width}, type, 6);
  at::Tensor sum = there({batch.tokens(), width}, type, 5), out = at::zeros_like(sum);
  const at::Tensor mean = at::zeros({batch.tokens()}, weights.gamma_D.options()), rstd = at::zeros_like(mean);
  residual_norm(input, mask, weights, there({width}, at::kFloat, 3), residual, sum, out, mean, rstd);
  at::Tensor d_residual = at::zeros_like(sum), d_linear = at::zeros_like(sum);
  const at::Tensor totals = at::zeros({3, width}, weights.gamma_D.options());
  residual_norm_backward(input, mask, weights, d_out, {}, sum, mean, rstd, d_residual, d_linear, totals[0], totals[1],
                         totals[2]);
  const auto home = [](const at::Tensor& x) { return x.to(at::kCPU, at::kFloat); };
  return {home(sum), home(out), home(d_residual), home(d_linear), home(totals)};
}

TEST_F(CudaDevice, ResidualNormIsThatOfTheCpu) {
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (int64_t width : {7, 384, 768, 1000, 1200}) {
      SCOPED_TRACE(std::string(c10::toString(type)) + ", width " + std::to_string(width));
      const Normed found = norm_on(device_, type, width, 0.1), expected = norm_on(at::kCPU, type, width, 0.1);
      expect_close(found.sum, expected.sum, tolerance(type), "sum");
      expect_close(found.out, expected.out, tolerance(type), "out");
      expect_close(found.d_residual, expected.d_residual, tolerance(type), "d_residual");
      expect_close(found.d_linear, expected.d_linear, tolerance(type), "d_linear");
      expect_close(found.totals, expected.totals, tolerance(type), "gamma, beta, bias");
      EXPECT_TRUE(same_bits(found.totals, norm_on(device_, type, width, 0.1).totals) || !cuda::use_kernels());
    }
  }
}

TEST_F(CudaDevice, AdamWIsTheReference) {
  const auto buffers = [](at::Device device) {
    std::vector<at::Tensor> out;
    for (uint64_t seed : {1, 2, 3, 4}) out.push_back(random_tensor({100003}, at::kFloat, seed).abs().to(device));
    return out;
  };
  const auto number = [&](double value, at::ScalarType type = at::kFloat) {
    return at::full({}, value, at::TensorOptions().dtype(type).device(device_));
  };
  const cuda::ClipState clip{
      number(0, at::kDouble), number(0, at::kDouble), number(0, at::kDouble), number(0), number(0), number(0)};
  std::vector<at::Tensor> found = buffers(device_), expected = buffers(at::kCPU);
  for (const bool finite : {true, false}) {
    // A norm of 2, of which 1 is let through; the second time it is not a number.
    cuda::clip(number(finite ? 4 : NAN, at::kDouble), 1, clip);
    const at::Tensor copy = found[0].to(at::kBFloat16);
    cuda::adamw({0.01, 0.9, 0.999, 1e-8}, number(2e-3), {number(3), clip.divisor, clip.skipped},
                {found[0], found[1], found[2], found[3], copy});
    if (finite) {
      reference::adamw({0.9, 0.999, 1e-8}, 3, 2e-3, 0.01, 1 / (2 + 1e-6), expected[0], expected[1], expected[2],
                       expected[3]);
    }
    for (size_t i = 0; i < found.size(); ++i) expect_close(found[i].cpu(), expected[i], 1e-5, std::to_string(i));
    EXPECT_TRUE(same_bits(copy.cpu(), found[0].cpu().to(at::kBFloat16)));
    found[1].fill_(NAN);
  }
  EXPECT_EQ(clip.updates.item<double>(), 1);
  EXPECT_EQ(clip.skips.item<double>(), 1);
}

TEST_F(CudaDevice, WeightGradientsAddUpInFloat32) {
  for (at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    const at::Tensor d_y = random_tensor({900, 24}, type, 1), x = random_tensor({900, 40}, type, 2);
    const at::Tensor found = at::zeros({24, 40}, at::TensorOptions().dtype(at::kFloat).device(device_)) + 1;
    cuda::add_weight_gradient(d_y.to(device_), x.to(device_), found);
    expect_close(found.cpu(), d_y.to(at::kFloat).t().matmul(x.to(at::kFloat)) + 1, 1e-4, c10::toString(type));
  }
}

#if ST_WITH_CUDA
template <typename T>
T* raw(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

// These are tested whether or not SENTENCE_TORCH_CUDA_KERNELS is set.
TEST_F(CudaDevice, MeanPoolKernel) {
  const PackedBatch batch = batch_of({3, 1, 900, 40});
  const int64_t rows = batch.rows(), width = 384;
  const Input input(batch, device_);
  const at::Tensor x_TD = random_tensor({batch.tokens(), width}, at::kFloat, 1);
  const at::Tensor there_TD = x_TD.to(device_), d_out_RD = random_tensor({rows, width}, at::kFloat, 2).to(device_);
  const at::Tensor out_RD = at::zeros_like(d_out_RD), norm_R = at::zeros({rows}, out_RD.options());
  const at::Tensor d_TD = at::zeros_like(there_TD);
  const int32_t* first = raw<int32_t>(input.offsets_R1);
  const cuda::MeanPool forward{
      rows, width, first, first + 1, true, raw<float>(there_TD), raw<float>(out_RD), raw<float>(norm_R)};
  const cuda::MeanPoolBackward backward{rows,
                                        width,
                                        first,
                                        first + 1,
                                        true,
                                        raw<float>(d_out_RD),
                                        raw<float>(out_RD),
                                        raw<float>(norm_R),
                                        raw<float>(d_TD)};
  cuda::on_device_of(there_TD, "mean_pool", [&](void* stream) { return cuda::launch(forward, stream); });
  cuda::on_device_of(there_TD, "mean_pool_backward", [&](void* stream) { return cuda::launch(backward, stream); });
  const at::AutoGradMode with_grad(true);
  const at::Tensor leaf = x_TD.detach().requires_grad_(true);
  const at::Tensor expected = normalize_rows(pool(leaf, batch, {"mean"}, true));
  const at::Tensor e_d_TD = torch::autograd::grad({expected}, {leaf}, {d_out_RD.cpu()})[0];
  expect_close(out_RD.cpu(), expected.detach(), 1e-5, "embeddings");
  expect_close(d_TD.cpu(), e_d_TD, 1e-4, "gradient");
}

TEST_F(CudaDevice, SoftmaxLossKernel) {
  const int64_t rows = 100, columns = 333, first_target = 3;
  const at::Tensor scores = random_tensor({rows, columns}, at::kFloat, 1), targets = at::zeros({rows}, at::kLong);
  for (int64_t row = 0; row < rows; ++row) raw<int64_t>(targets)[row] = first_target + row;
  const at::Tensor in_place = scores.to(device_), loss = at::zeros({rows}, in_place.options());
  const cuda::SoftmaxLoss call{
      rows, columns, first_target, 20, 1.0f / rows, raw<float>(in_place), raw<float>(loss), raw<float>(in_place)};
  cuda::on_device_of(in_place, "softmax_loss", [&](void* stream) { return cuda::launch(call, stream); });
  const at::AutoGradMode with_grad(true);
  const at::Tensor leaf = scores.detach().requires_grad_(true);
  const at::Tensor expected = at::cross_entropy_loss(leaf * 20, targets, {}, at::Reduction::None);
  const at::Tensor e_gradient = torch::autograd::grad({expected.mean()}, {leaf})[0];
  expect_close(loss.cpu(), expected.detach(), 1e-4, "loss");
  expect_close(in_place.cpu(), e_gradient, 1e-4, "gradient");
}
#endif

// Heads of 32, which LibTorch's kernels take.
Config::Object wide_heads() {
  return {{"hidden_size", 64.0},
          {"num_attention_heads", 2.0},
          {"max_position_embeddings", 200.0},
          {"hidden_dropout_prob", 0.0},
          {"attention_probs_dropout_prob", 0.0}};
}

std::shared_ptr<Encoder> wide_encoder(const std::string& device, const std::string& dtype) {
  EncoderSpec spec = tiny_bert({pooling({"mean"}), dense(64, 6, "tanh")}, dtype, wide_heads());
  spec.device = device;
  auto encoder = std::make_shared<Encoder>(spec);
  Weights weights = random_weights(*encoder, 1);
  // Scores of attention of a usual size.
  for (auto& [name, values] : weights) {
    if (name.find("LayerNorm") != std::string::npos) continue;
    for (float& value : values) value *= 0.2f;
  }
  load_weights(*encoder, weights);
  return encoder;
}

TEST_F(CudaDevice, EncodesAsTheCpu) {
  for (const std::string dtype : {"float32", "bfloat16"}) {
    for (const std::vector<int>& lengths : {kShort, kLong}) {
      const PackedBatch batch = batch_of(lengths, 11, 2);
      const auto encode = [&](const std::string& device) {
        std::vector<float> out(batch.rows() * 6);
        wide_encoder(device, dtype)->encode(batch, EncoderOutput::kSentenceEmbedding, out.data(), batch.rows() * 6);
        return at::from_blob(out.data(), {batch.rows(), 6}, at::kFloat).clone();
      };
      expect_close(encode("cuda"), encode("cpu"), dtype == "float32" ? 1e-4 : 4e-2, dtype);
    }
  }
}

TEST_F(CudaDevice, TrainsAsTheCpu) {
  for (const std::string precision : {"float32", "bfloat16", "float16"}) {
    SCOPED_TRACE(precision);
    const auto losses = [&](const std::string& device) {
      TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
      spec.loss_scaler = precision == "float16";
      if (!spec.loss_scaler || device == "cuda") spec.precision = precision;
      Trainer trainer(wide_encoder(device, "float32"), spec);
      std::vector<double> out;
      for (int step = 0; step < 10; ++step) out.push_back(trainer.step(scored_batch(), kUpdate)->loss);
      return out;
    };
    const std::vector<double> found = losses("cuda"), expected = losses("cpu");
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i], expected[i], precision == "float32" ? 1e-4 : 2e-2) << "step " << i;
    }
  }
}

// Gradients beyond float16 are infinite: the device itself finds that out, skips the update and halves the scale.
TEST_F(CudaDevice, FindsTheScaleOfLosses) {
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.precision = "float16";
  spec.loss_scaler = true;
  Trainer trainer(wide_encoder("cuda", "float32"), spec);
  trainer.set_loss_scaler({std::ldexp(1, 40), 0});
  for (int step = 0; step < 40; ++step) trainer.step(scored_batch(), {.rates = {1e-3}});
  const StepReport report = *trainer.step(scored_batch(), kUpdate);
  EXPECT_GT(report.skipped, 5);
  EXPECT_GT(report.updates, 5);
  EXPECT_EQ(report.loss_scale, std::ldexp(1, static_cast<int>(40 - report.skipped)));
  EXPECT_TRUE(std::isfinite(report.loss) && std::isfinite(report.grad_norm));
}

TEST_F(CudaDevice, RanksAsTheCpu) {
  const auto losses = [&](const std::string& device) {
    Trainer trainer(wide_encoder(device, "float32"), spec_of(loss_of("MultipleNegativesRankingLoss")));
    std::vector<double> out;
    for (int step = 0; step < 10; ++step) out.push_back(trainer.step(scored_batch(), kUpdate)->loss);
    return out;
  };
  const std::vector<double> found = losses("cuda"), expected = losses("cpu");
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-3) << "step " << i;
}

// Of 24 bits, or of 11 where SENTENCE_TORCH_TF32=1.
TEST_F(CudaDevice, ProductsAreOfTf32OnlyIfAskedFor) {
  cuda::configure();
  const at::Tensor a = random_tensor({300, 512}, at::kFloat, 1), b = random_tensor({512, 400}, at::kFloat, 2);
  const at::Tensor found = a.to(device_).matmul(b.to(device_)).cpu();
  const double error = relative_difference(found.to(at::kDouble), a.to(at::kDouble).matmul(b.to(at::kDouble)));
  const char* wish = std::getenv("SENTENCE_TORCH_TF32");
  if (wish != nullptr && std::string(wish) == "1") {
    EXPECT_GT(error, 1e-5);
  } else {
    EXPECT_LT(error, 2e-6);
  }
}

TEST_F(CudaDevice, AnIndexThatIsNotThereIsNamed) {
  const std::string next = "cuda:" + std::to_string(cuda_device_count());
  expect_error("ERR_UNSUPPORTED", "Device " + next + ": there ", [&] { parse_device(next); });
}

}  // namespace

}  // namespace st::test
