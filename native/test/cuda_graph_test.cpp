// Recorded work on a device. Skipped where there is none; bench/gpu.sh runs it.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include <algorithm>

#include "attention_case.h"
#include "core/cuda_device.h"
#include "ops/cuda.h"
#include "ops/static_input.h"
#include "support.h"

namespace st::test {

namespace {

class CudaDeviceGraph : public ::testing::Test {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "no CUDA device";
    recorder_ = cuda::make_recorder(device_);
    uploader_ = cuda::make_uploader(device_);
  }
  at::Tensor zeros(at::IntArrayRef shape, at::ScalarType type) const {
    return at::zeros(shape, at::TensorOptions().dtype(type).device(device_));
  }
  const at::Device device_ = at::Device(at::kCUDA, 0);
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Uploader> uploader_;
};

TEST_F(CudaDeviceGraph, RepeatsWhatWasRecordedAndNotDone) {
  const at::Tensor from = zeros({1000}, at::kFloat), to = zeros({1000}, at::kFloat);
  const auto work = [&] { at::Tensor(to).add_(from * 2); };
  recorder_->warm_up(work);
  const std::unique_ptr<RecordedWork> recorded = recorder_->record(work);
  EXPECT_EQ(to.sum().item<float>(), 0);
  for (int i = 1; i <= 3; ++i) {
    at::Tensor(from).fill_(i);
    recorded->replay(1);
  }
  EXPECT_EQ(to.sum().item<float>(), 2 * (1 + 2 + 3) * 1000);
}

// After a failure the device works on, and so does the recorder.
TEST_F(CudaDeviceGraph, LeavesNothingOfARecordingThatFails) {
  const at::Tensor x = zeros({1000}, at::kFloat);
  const auto reads = [&] { at::Tensor(x).add_((x * 3).sum().item<float>()); };
  EXPECT_THROW(recorder_->record(reads), std::exception);
  EXPECT_THROW(recorder_->record([&] {
    at::Tensor(x).add_(1);
    fail("ERR_UNSUPPORTED", "no");
  }),
               Error);
  EXPECT_EQ(x.sum().item<float>(), 0);
  const std::unique_ptr<RecordedWork> recorded = recorder_->record([&] { at::Tensor(x).add_(1); });
  recorded->replay(1);
  EXPECT_EQ(x.sum().item<float>(), 1000);
}

TEST_F(CudaDeviceGraph, RunsOutOfMemoryByItsName) {
  const at::TensorOptions bytes = at::TensorOptions().dtype(at::kByte).device(device_);
  EXPECT_THROW(recorder_->record([&] { at::empty({int64_t{1} << 46}, bytes).fill_(1); }), c10::OutOfMemoryError);
  EXPECT_EQ(at::full({10}, 1, bytes).sum().item<int64_t>(), 10);
}

TEST_F(CudaDeviceGraph, UploadsEveryBatchOfARow) {
  const at::Tensor to = zeros({50000}, at::kInt), sums = zeros({20}, at::kLong);
  for (int i = 0; i < 20; ++i) {
    // Of changing size; the device is busy, so that uploads wait for each other.
    const int64_t words = i % 3 == 0 ? 50000 : 1000 + i;
    std::fill_n(uploader_->memory(words), words, i + 1);
    uploader_->send(to.narrow(0, 0, words));
    for (int k = 0; k < 20; ++k) at::Tensor(sums[i]).copy_(to.narrow(0, 0, words).sum());
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(sums[i].item<int64_t>(), (i + 1) * (i % 3 == 0 ? 50000 : 1000 + i)) << i;
  }
}

// Attention with dropout in both passes: the masks differ from seed to seed and are the same in both passes. out is
// linear in v, so with the same masks sum(out * d_out) = sum(v * d_v).
TEST_F(CudaDeviceGraph, AttentionDropsAnewInEveryRepetition) {
  constexpr int64_t kHeads = 3, kWidth = 3 * 32;
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const std::vector<int>& lengths : {std::vector<int>{3, 17, 64, 1}, std::vector<int>{3, 200, 65, 128}}) {
      SCOPED_TRACE(std::string(c10::toString(type)) + ", longest " + std::to_string(lengths[1]));
      const PackedBatch batch = batch_of(lengths);
      const StaticInput memory(shape_of(batch, 512), device_);
      memory.fill(batch, DropoutKey(), uploader_->memory(memory.words()));
      uploader_->send(memory.buffer());
      const Rows all = padded(batch, shape_of(batch, 512).bucket);
      const Input input = memory.input(all);
      const Dropout dropout(DropoutKey(1, 2, 3), 5, 0.3);
      const at::Tensor qkv = random_tensor({all.tokens(), 3 * kWidth}, type, 1).to(device_);
      const at::Tensor d_out = random_tensor({all.tokens(), kWidth}, type, 2).to(device_);
      const at::Tensor out = at::zeros_like(d_out), d_qkv = at::zeros_like(qkv);
      const at::Tensor lse = zeros({kHeads, all.tokens()}, at::kFloat), d_bias = zeros({3 * kWidth}, at::kFloat);
      const AttentionCall call{.queries = rows_of(input),
                               .keys = rows_of(input),
                               .shape = shape_of_heads(kHeads, kHeads, kWidth / kHeads),
                               .dropout = dropout};
      const at::Tensor mask = zeros({attention_mask_words(call)}, at::kShort);
      const auto work = [&] {
        const Projections parts = side_by_side(qkv, call.shape);
        attention(call, parts, out, lse, mask);
        attention_backward(call, parts, out, lse, mask, d_out,
                           {.values = side_by_side(d_qkv, call.shape), .biases = side_by_side(d_bias, call.shape)});
      };
      recorder_->warm_up(work);
      const std::unique_ptr<RecordedWork> recorded = recorder_->record(work);
      std::vector<at::Tensor> outs;
      for (uint64_t seed : {1, 2, 1}) {
        recorded->replay(seed);
        const at::Tensor found = out.to(at::kCPU, at::kFloat),
                         v = qkv.to(at::kCPU, at::kFloat).narrow(1, 2 * kWidth, kWidth);
        const at::Tensor d_v = d_qkv.to(at::kCPU, at::kFloat).narrow(1, 2 * kWidth, kWidth);
        const at::Tensor by_token = found * d_out.to(at::kCPU, at::kFloat);
        const double size = by_token.abs().sum().item<double>();
        EXPECT_NEAR(by_token.sum().item<double>(), (v * d_v).sum().item<double>(),
                    size * (type == at::kFloat ? 1e-4 : 1e-2));
        outs.push_back(found.narrow(0, 0, batch.tokens()).clone());
      }
      expect_close(outs[2], outs[0], 1e-6, "again");
      EXPECT_GT(relative_difference(outs[1], outs[0]), 1e-2);
    }
  }
}

}  // namespace

}  // namespace st::test
