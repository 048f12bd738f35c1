#include "ops/input.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>

#include "engine/loss_pass.h"
#include "engine/training_pass.h"
#include "ops/pooling.h"
#include "ops/static_input.h"
#include "support.h"
#include "training.h"

namespace st::test {

namespace {

template <typename T>
std::vector<T> values(const at::Tensor& x) {
  const at::Tensor flat = x.contiguous();
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

TEST(Input, IsOneBuffer) {
  const PackedBatch batch = batch_of({2, 3}, 11, 2);
  const Input input(batch, at::kCPU);
  EXPECT_EQ(values<int32_t>(input.ids_T), batch.ids);
  EXPECT_EQ(values<int32_t>(input.types_T), batch.token_types);
  EXPECT_EQ(values<int32_t>(input.rows_T), (std::vector<int32_t>{0, 0, 1, 1, 1}));
  EXPECT_EQ(values<int32_t>(input.positions_T), (std::vector<int32_t>{0, 1, 0, 1, 2}));
  EXPECT_FALSE(Input(batch_of({2}), at::kCPU).types_T.defined());
  EXPECT_EQ(input.texts(), 2);
  EXPECT_EQ(input.longest(), 3);
}

TEST(Bucket, HoldsEveryBatchOfItsSize) {
  for (int64_t positions : {2, 3, 40, 512}) {
    for (int longest : {1, 2, 33, 200}) {
      if (longest > positions) continue;
      for (int rows : {1, 7, 300}) {
        std::vector<int> lengths(rows, longest);
        for (int less = 0; less < std::min(longest * rows, 140); ++less) {
          SCOPED_TRACE(std::to_string(positions) + " positions, " + std::to_string(rows) + " rows, " +
                       std::to_string(less) + " less than " + std::to_string(longest) + " each");
          const PackedBatch batch = batch_of(lengths);
          const Bucket bucket = bucket_of(batch, positions);
          ASSERT_EQ(bucket.tokens % (batch.tokens() < 2048 ? 64 : 128), 0);
          ASSERT_LT(bucket.tokens, batch.tokens() + bucket.padding_rows + 128);
          const Rows all = padded(batch, bucket);
          all.validate(11, 2, std::min(positions, bucket.longest));  // no empty row, none too long
          ASSERT_EQ(all.rows(), bucket.rows());
          ASSERT_EQ(all.tokens(), bucket.tokens);
          ASSERT_EQ(bucket.texts, rows);
          // One token less, in a row that keeps one.
          for (int& length : lengths) {
            if (length == 1) continue;
            --length;
            break;
          }
        }
      }
    }
  }
}

TEST(Bucket, IsSharedByBatchesOfLikeSize) {
  const auto bucket = [](const std::vector<int>& lengths) { return bucket_of(batch_of(lengths), 512); };
  EXPECT_EQ(bucket({20, 30, 5}), bucket({31, 25, 1}));
  EXPECT_EQ(bucket({20, 30, 5}).longest, 32);
  EXPECT_NE(bucket({20, 33, 2}), bucket({20, 30, 5}));
  EXPECT_NE(bucket({20, 30, 5, 1}), bucket({20, 30, 5}));
  expect_error("ERR_LIBTORCH", "Expected a batch of 3 rows",
               [&] { padded(batch_of({20, 30, 5, 1}), bucket({20, 30, 5})); });
}

// A batch in the memory that a recorded step reads.
struct Fixed {
  Fixed(const PackedBatch& batch, const DropoutKey& key, int64_t positions = 40)
      : all(padded(batch, bucket_of(batch, positions))),
        memory(shape_of(batch, positions), at::kCPU),
        input(memory.input(all)) {
    memory.fill(batch, key, memory.buffer().data_ptr<int32_t>());
  }
  Rows all;
  StaticInput memory;
  Input input;
};

TEST(StaticInput, HoldsTheBatchAndItsPadding) {
  PackedBatch batch = batch_of({2, 3, 1, 1}, 11, 2, 2);
  batch.prompt_lengths = {1, 2, 5, 0};
  batch.labels = std::vector<float>{0.5, -2};
  batch.text_ids = {4, 5, 6, 4};
  batch.guide_width = 2;
  batch.guide = {1, 2, 3, 4, 5, 6, 7, 8};
  const DropoutKey key(1, 2, 3);
  const Fixed fixed(batch, key);
  const Input& input = fixed.input;
  EXPECT_EQ(input.tokens(), 64);
  EXPECT_EQ(input.texts(), 4);
  EXPECT_EQ(input.longest(), 32);
  EXPECT_EQ(input.ids_T.size(0), 64);
  EXPECT_EQ(values<int32_t>(input.ids_T.narrow(0, 0, 7)), batch.ids);
  EXPECT_EQ(values<int32_t>(input.types_T.narrow(0, 0, 7)), batch.token_types);
  EXPECT_EQ(values<int32_t>(input.positions_T.narrow(0, 0, 8)), (std::vector<int32_t>{0, 1, 0, 1, 2, 0, 0, 0}));
  EXPECT_EQ(values<int32_t>(input.rows_T.narrow(0, 0, 8)), (std::vector<int32_t>{0, 0, 1, 1, 1, 2, 3, 4}));
  EXPECT_EQ(values<int32_t>(input.offsets_R1.narrow(0, 0, 5)), batch.offsets);
  EXPECT_EQ(values<int32_t>(input.offsets_R1), fixed.all.offsets);
  EXPECT_EQ(values<int32_t>(input.first_R.narrow(0, 0, 4)), (std::vector<int32_t>{1, 4, 5, 6}));
  EXPECT_EQ(static_cast<uint64_t>(input.key_1.item<int64_t>()), key.key);
  EXPECT_EQ(values<float>(fixed.memory.labels()), (std::vector<float>{0.5, -2}));
  EXPECT_EQ(values<int32_t>(fixed.memory.text_ids_R()), batch.text_ids);
  EXPECT_EQ(values<float>(fixed.memory.guide_RG()), batch.guide);
  EXPECT_EQ(fixed.memory.guide_RG().sizes(), at::IntArrayRef({4, 2}));

  // The next batch goes to the same places; one of another shape does not fit.
  const void* before = input.ids_T.data_ptr();
  PackedBatch next = batch_of({5, 1, 1, 9}, 11, 0, 2);
  next.labels = std::vector<float>{1, 2};
  next.text_ids = {1, 2, 3, 4};
  next.guide_width = 2;
  next.guide = {9, 9, 9, 9, 9, 9, 9, 9};
  EXPECT_EQ(shape_of(next, 40), shape_of(batch, 40));
  fixed.memory.fill(next, DropoutKey(), fixed.memory.buffer().data_ptr<int32_t>());
  EXPECT_EQ(input.ids_T.data_ptr(), before);
  EXPECT_EQ(values<int32_t>(input.ids_T.narrow(0, 0, 16)), next.ids);
  EXPECT_EQ(input.types_T.sum().item<int64_t>(), 0);
  next.labels = std::vector<int32_t>{1, 2};
  EXPECT_NE(shape_of(next, 40), shape_of(batch, 40));
  next.label_shape = {3};
  expect_error("ERR_INVALID_ARGUMENT", "Expected 3 labels for labelShape but found 2", [&] { shape_of(next, 40); });
}

TEST(StaticInput, IsPooledAsTheBatch) {
  PackedBatch batch = batch_of({2, 30, 1, 9});
  batch.prompt_lengths = {1, 4, 5, 0};
  const Fixed fixed(batch, DropoutKey());
  const at::Tensor x_TD = random_tensor({fixed.input.tokens(), 6}, at::kDouble, 1);
  const at::AutoGradMode with_grad(true);
  for (bool prompts : {true, false}) {
    for (const std::string mode : {"cls", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"}) {
      SCOPED_TRACE(mode);
      ASSERT_TRUE(pools_fixed(mode));
      const at::Tensor leaf = x_TD.detach().requires_grad_(true), other = x_TD.detach().requires_grad_(true);
      const at::Tensor found = pool(leaf, fixed.input, {mode}, prompts);
      const at::Tensor expected = pool(other.narrow(0, 0, batch.tokens()), batch, {mode}, prompts);
      expect_close(found.detach(), expected.detach(), 1e-14, "embeddings");
      const at::Tensor d_RD = random_tensor(found.sizes(), at::kDouble, 2);
      const at::Tensor d_TD = torch::autograd::grad({found}, {leaf}, {d_RD})[0];
      expect_close(d_TD, torch::autograd::grad({expected}, {other}, {d_RD})[0], 1e-14, "gradient");
      EXPECT_EQ(d_TD.narrow(0, batch.tokens(), 64 - batch.tokens()).abs().max().item<double>(), 0);
    }
  }
  EXPECT_FALSE(pools_fixed("max"));
  expect_error("ERR_LIBTORCH", "Pooling mode max", [&] { pool(x_TD, fixed.input, {"max"}, true); });
}

struct Trained {
  at::Tensor embeddings_RD;
  double loss;
  std::map<std::string, at::Tensor> gradients;
};

// One pass forward and backward.
Trained train(Network& network, const OwnedLoss& loss, const PackedBatch& batch, const Input& input,
              const DropoutKey& key) {
  TrainingPass pass(network);
  Network::Output outputs = pass.forward(input, key, {});
  const LossGradients found = differentiate(loss, {batch, network, key, true}, outputs, 1);
  Gradients gradients(network.parameters().layout, network.parameters().flat());
  pass.backward(input, key, found.outputs, gradients);
  Trained out{outputs.embeddings_RD, found.value.total.item<double>(), {}};
  for (const TensorInfo& tensor : network.parameters().layout.tensors(true)) {
    out.gradients[tensor.name] = network.parameters().layout.named_view(gradients.flat(), tensor);
  }
  return out;
}

// Padding leaves no trace in embeddings, loss or any gradient, with the same masks in the rows of texts.
void expect_no_trace(const EncoderSpec& spec, const PackedBatch& batch, double tolerance) {
  Network network(spec);
  network.prepare();
  const at::NoGradGuard no_grad;
  network.parameters().flat().copy_(random_tensor({network.parameters().flat().numel()}, at::kDouble, 3, 0.5));
  network.parameters().refresh();
  const OwnedLoss loss("", loss_of("CosineSimilarityLoss"), network.embedding_width(), at::kCPU,
                       network.parameters().flat().scalar_type(), 1);
  const DropoutKey key(7, 8, 0);
  const Fixed fixed(batch, key);
  ASSERT_GT(fixed.input.tokens(), batch.tokens());
  const Trained expected = train(network, loss, batch, Input(batch, at::kCPU), key);
  const Trained found = train(network, loss, batch, fixed.input, key);
  expect_close(found.embeddings_RD, expected.embeddings_RD, tolerance, "embeddings");
  EXPECT_NEAR(found.loss, expected.loss, tolerance);
  for (const auto& [name, gradient] : expected.gradients) {
    if (name.ends_with("key.bias")) {
      // A softmax does not see it: nothing but rounding.
      EXPECT_LT(found.gradients.at(name).abs().max().item<double>(), tolerance) << name;
      continue;
    }
    expect_close(found.gradients.at(name), gradient, tolerance, name);
    if (name.find("word_embeddings") != std::string::npos) {
      // That of the padding's token: no text holds it.
      EXPECT_EQ(found.gradients.at(name)[0].abs().max().item<double>(), 0);
      EXPECT_GT(gradient.abs().max().item<double>(), 0);
    }
  }
}

TEST(StaticInput, TrainsAsTheBatch) {
  for (const std::string dtype : {"float64", "float32"}) {
    for (const auto& changes : {Config::Object{}, no_dropout()}) {
      for (int64_t types : {0, 2}) {
        SCOPED_TRACE(dtype + (changes.empty() ? ", dropout" : "") + ", " + std::to_string(types) + " types");
        PackedBatch batch = batch_of({5, 1, 12, 3, 4, 2, 37, 1}, 10, types, 2);
        for (int32_t& id : batch.ids) ++id;  // token 0 is that of the padding
        batch.prompt_lengths = {1, 0, 3, 3, 0, 0, 1, 1};
        batch.labels = std::vector<float>{1, 0.25, 0.5, 0};
        const double tolerance = dtype == "float64" ? 1e-12 : 1e-4;
        expect_no_trace(tiny_bert({pooling({"mean", "cls"}, false), dense(24, 6, "tanh"), normalize()}, dtype, changes),
                        batch, tolerance);
      }
    }
  }
}

}  // namespace

}  // namespace st::test
