// Which steps are recorded and repeated, with a recorder that keeps the work instead of what it queues.
#include "engine/step_graph.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <c10/util/Exception.h>

#include "engine/training_pass.h"
#include "recording.h"
#include "support.h"
#include "training.h"

namespace st::test {

namespace {

constexpr int64_t kPositions = 512;

class StepGraphsTest : public ::testing::Test {
 protected:
  StepGraphs graphs(size_t most = StepGraphs::kMostShapes) {
    return {at::kCPU, std::make_unique<KeepingRecorder>(log_), std::make_unique<PlainUploader>(), most};
  }
  StepGraphs::Key key_of(const PackedBatch& batch) const { return {shape_of(batch, kPositions), batch.columns}; }

  // A step whose embeddings are the sum of all ids, and whose loss is that of the labels.
  double run(StepGraphs& graphs, const PackedBatch& batch, StepGraphs::Key key, uint64_t seed = 1) {
    DropoutKey dropout;
    dropout.key = seed;
    const StepGraphs::Outputs outputs =
        graphs.run(batch, dropout, key, workspace_, [this](const Input& input, const LossTensors& given) {
          ++steps_;
          last_ = workspace_.take({1 << 20}, at::kFloat).data_ptr();
          return StepGraphs::Outputs{input.ids_T.sum(), given.labels.sum()};
        });
    EXPECT_EQ(outputs.value.total.item<double>(), label_sum(batch));
    return outputs.embeddings_RD.item<double>();
  }
  double run(StepGraphs& graphs, const PackedBatch& batch) { return run(graphs, batch, key_of(batch)); }

  static double label_sum(const PackedBatch& batch) {
    double sum = 0;
    for (float label : std::get<std::vector<float>>(batch.labels)) sum += label;
    return sum;
  }
  static PackedBatch batch_with(const std::vector<int>& lengths, int32_t more) {
    PackedBatch batch = batch_of(lengths, 11, 0, 2);
    for (int32_t& id : batch.ids) id += more;
    batch.labels = std::vector<float>(lengths.size() / 2, 0.5F * static_cast<float>(more));
    return batch;
  }
  static double id_sum(const PackedBatch& batch) {
    double sum = 0;
    for (int32_t id : batch.ids) sum += id;
    return sum;
  }

  RecordingLog log_;
  Workspace workspace_{at::kCPU};
  int steps_ = 0;
  void* last_ = nullptr;
};

using Counts = std::map<std::string, int64_t>;

TEST_F(StepGraphsTest, RecordsAShapeThatComesBackAndRepeatsItOnEveryBatch) {
  StepGraphs graphs = this->graphs();
  for (int i = 0; i < 6; ++i) {
    // Other lengths too: the shape is that of the bucket.
    const PackedBatch batch = batch_with(i % 2 == 0 ? std::vector<int>{5, 9, 20, 1} : std::vector<int>{7, 7, 3, 19}, i);
    EXPECT_EQ(run(graphs, batch, key_of(batch), 100 + i), id_sum(batch)) << i;
  }
  EXPECT_EQ(log_.warm_ups, 2);
  EXPECT_EQ(log_.recorded, 1);
  EXPECT_EQ(log_.seeds, (std::vector<uint64_t>{102, 103, 104, 105}));
  EXPECT_EQ(steps_, 6);
  EXPECT_EQ(graphs.counts(), (Counts{{"recorded", 1}, {"repeated", 4}, {"warm-up", 2}}));
}

TEST_F(StepGraphsTest, KeepsARecordingForEverythingThatItDependsOn) {
  StepGraphs graphs = this->graphs();
  const PackedBatch batch = batch_with({5, 9, 20, 1}, 1);
  StepGraphs::Key key = key_of(batch);
  std::vector<StepGraphs::Key> keys = {key, key, key, key};
  keys[1].loss = 1;
  keys[2].loss_scale = 0.5;
  keys[3].columns = 4;
  for (const StepGraphs::Key& one : keys) {
    for (int i = 0; i < 3; ++i) run(graphs, batch, one);
  }
  const PackedBatch longer = batch_with({5, 9, 33, 1}, 1), more = batch_with({5, 9, 20, 1, 1, 1}, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(graphs, longer), id_sum(longer));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(graphs, more), id_sum(more));
  EXPECT_EQ(log_.recorded, 6);
}

TEST_F(StepGraphsTest, ForgetsTheShapeThatWasNotUsedForLongest) {
  StepGraphs graphs = this->graphs(2);
  const PackedBatch a = batch_with({5, 1}, 1), b = batch_with({40, 1}, 2), c = batch_with({90, 1}, 3);
  for (int i = 0; i < 3; ++i) run(graphs, a);
  for (int i = 0; i < 3; ++i) run(graphs, b);
  run(graphs, a);
  EXPECT_EQ(log_.dropped, 0);
  run(graphs, c);  // in place of b
  EXPECT_EQ(log_.dropped, 1);
  EXPECT_EQ(run(graphs, a), id_sum(a));
  EXPECT_EQ(log_.recorded, 2);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(graphs, b), id_sum(b));
  EXPECT_EQ(log_.recorded, 3);
  EXPECT_EQ(log_.warm_ups, 7);
}

TEST_F(StepGraphsTest, MakesAStepThatCannotBeRecordedAsItComes) {
  StepGraphs graphs = this->graphs();
  log_.on_record = [] { fail("ERR_UNSUPPORTED", "A step with magic cannot be recorded"); };
  const PackedBatch batch = batch_with({5, 1}, 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run(graphs, batch), id_sum(batch));
  EXPECT_EQ(graphs.counts(), (Counts{{"eager: A step with magic cannot be recorded", 3}, {"warm-up", 2}}));
  EXPECT_EQ(steps_, 5);
  graphs.pass_by("in chunks");
  EXPECT_EQ(graphs.counts().at("eager: in chunks"), 1);
}

TEST_F(StepGraphsTest, SaysWhenMemoryIsOut) {
  StepGraphs graphs = this->graphs();
  log_.on_record = [] { TORCH_CHECK_WITH(OutOfMemoryError, false, "full"); };
  const PackedBatch batch = batch_with({5, 1}, 1);
  for (int i = 0; i < 2; ++i) run(graphs, batch);
  const int64_t bytes = workspace_.bytes();
  EXPECT_GT(bytes, 0);
  EXPECT_THROW(run(graphs, batch), c10::OutOfMemoryError);
  // Nothing is lost: where there is memory again, the shape is recorded.
  log_.on_record = nullptr;
  EXPECT_EQ(run(graphs, batch), id_sum(batch));
  EXPECT_EQ(log_.recorded, 1);
  EXPECT_EQ(workspace_.bytes(), bytes);
}

TEST_F(StepGraphsTest, GivesARecordingMemoryOfItsOwn) {
  StepGraphs graphs = this->graphs();
  const PackedBatch batch = batch_with({5, 1}, 1);
  run(graphs, batch);
  const int64_t bytes = workspace_.bytes();
  const void* shared = last_;
  workspace_.reset();
  run(graphs, batch);
  EXPECT_EQ(last_, shared);
  workspace_.reset();
  run(graphs, batch);
  EXPECT_NE(last_, shared);
  EXPECT_EQ(workspace_.bytes(), bytes);
}

// Gradients of batches of the same lengths, which the work that is kept here reads from the one that was recorded.
at::Tensor trained_gradients(StepGraphs* graphs, Network& network, const OwnedLoss& loss) {
  Gradients gradients(network.parameters().layout, network.parameters().flat());
  std::vector<PackedBatch> batches;
  for (int i = 0; i < 6; ++i) {
    batches.push_back(batch_of({5, 1, 12, 3, 4, 2, 20, 1}, 11, i % 2 == 0 ? 2 : 0, 2));
    for (int32_t& id : batches.back().ids) id = (id + i) % 11;
    batches.back().labels = std::vector<float>{1, 0.25F * static_cast<float>(i), 0.5, 0};
  }
  for (const PackedBatch& batch : batches) {
    const StepGraphs::Step step = [&](const Input& input, const LossTensors& given) {
      TrainingPass pass(network);
      Network::Output outputs = pass.forward(input, DropoutKey(), {});
      const LossContext context{batch, network, DropoutKey(), true, input.fixed ? &given : nullptr};
      LossGradients found = differentiate(loss, context, outputs, 0.5);
      pass.backward(input, DropoutKey(), found.outputs, gradients);
      return StepGraphs::Outputs{outputs.embeddings_RD, found.value};
    };
    if (graphs == nullptr) {
      step(Input(batch, at::kCPU), {});
    } else {
      graphs->run(batch, DropoutKey(), {shape_of(batch, 40), 2, 0, 0.5}, network.workspace(), step);
    }
  }
  return gradients.flat().clone();
}

TEST_F(StepGraphsTest, TrainsOnEveryBatch) {
  Network network(tiny_bert({pooling({"mean"}), dense(12, 6, "tanh")}, "float64", no_dropout()));
  network.prepare();
  const at::NoGradGuard no_grad;
  network.parameters().flat().copy_(random_tensor({network.parameters().flat().numel()}, at::kDouble, 3, 0.5));
  const OwnedLoss loss("", loss_of("CosineSimilarityLoss"), network.embedding_width(), at::kCPU, at::kDouble, 1);
  const at::Tensor expected = trained_gradients(nullptr, network, loss);
  StepGraphs graphs = this->graphs();
  expect_close(trained_gradients(&graphs, network, loss), expected, 1e-12, "gradients");
  EXPECT_EQ(graphs.counts(), (Counts{{"recorded", 1}, {"repeated", 4}, {"warm-up", 2}}));
}

}  // namespace

}  // namespace st::test
