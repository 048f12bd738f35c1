// Training with steps that are recorded and repeated, on the CPU, against training without. Batches have the same
// lengths: the work that is kept here reads them from the batch that was recorded.
#include "engine/step_graph.h"
#include "recording.h"
#include "training.h"

namespace st::test {

namespace {

std::vector<PackedBatch> batches_of(const PackedBatch& first) {
  std::vector<PackedBatch> out;
  for (int i = 0; i < 5; ++i) {
    out.push_back(first);
    for (int32_t& id : out.back().ids) id = (id + 3 * i) % 11;
    if (auto* scores = std::get_if<std::vector<float>>(&out.back().labels)) (*scores)[0] = 0.2F * static_cast<float>(i);
    if (auto* classes = std::get_if<std::vector<int32_t>>(&out.back().labels)) (*classes)[0] = i % 3;
  }
  return out;
}

struct Outcome {
  std::vector<StepReport> reports;
  Weights weights, gradients;
};

TrainerSpec two_losses() {
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.losses = {{"scores", loss_of("CosineSimilarityLoss")},
                 {"classes", loss_of("SoftmaxLoss", {{"numLabels", 3.0}})},
                 {"tension", loss_of("ContrastiveTensionLossInBatchNegatives")}};
  // Gradients that are 0 but for rounding move a weight by little only.
  spec.optimizer = Config::Object{{"type", text("adamw")}, {"epsilon", 1e-2}};
  spec.without_waiting = true;
  return spec;
}

Outcome train(std::shared_ptr<StepGraphs> graphs, const std::string& precision) {
  TrainerSpec spec = two_losses();
  spec.precision = precision;
  spec.graphs = std::move(graphs);
  auto encoder = encoder_of("float32", no_dropout());
  Trainer trainer(encoder, spec);
  const std::vector<PackedBatch> scored = batches_of(scored_batch()), classified = batches_of(classified_batch());
  Outcome out;
  for (size_t i = 0; i < scored.size(); ++i) {
    const auto step = [&](const PackedBatch& batch, const StepOptions& options) {
      if (const auto report = trainer.step(batch, options)) out.reports.push_back(*report);
    };
    step(scored[i], {.rates = {1e-2}});
    step(classified[i], {.rates = {1e-2}, .loss_scale = 0.5, .update = false, .loss = 1});
    step(classified[i], {.rates = {1e-2}, .loss_scale = 0.5, .report = true, .loss = 1});
    step(scored[i], {.rates = {1e-2}, .report = i == 2, .mini_batch_rows = 3});
    if (i == 3) step(scored[i], {.rates = {1e-2}, .loss = 2});
  }
  out.weights = dump_weights(*encoder);
  out.gradients = dump_weights(trainer, "grad.");
  return out;
}

TEST(RecordedStep, TrainsAsTheOthers) {
  for (const std::string precision : {"float32", "bfloat16"}) {
    SCOPED_TRACE(precision);
    RecordingLog log;
    const auto graphs = std::make_shared<StepGraphs>(at::kCPU, std::make_unique<KeepingRecorder>(log),
                                                     std::make_unique<PlainUploader>());
    const Outcome found = train(graphs, precision), expected = train(nullptr, precision);
    // In bfloat16 one rounding that falls otherwise grows from step to step; an update that is missing makes 1e-2.
    const double tolerance = precision == "float32" ? 1e-5 : 4e-3;
    EXPECT_LT(largest_difference(found.weights, expected.weights), tolerance);
    EXPECT_LT(largest_difference(found.gradients, expected.gradients), tolerance);
    ASSERT_EQ(found.reports.size(), expected.reports.size());
    for (size_t i = 0; i < found.reports.size(); ++i) {
      EXPECT_NEAR(found.reports[i].loss, expected.reports[i].loss, 10 * tolerance) << i;
      EXPECT_NEAR(found.reports[i].mean_cosine, expected.reports[i].mean_cosine, 10 * tolerance) << i;
      EXPECT_EQ(found.reports[i].updates, expected.reports[i].updates) << i;
      EXPECT_EQ(found.reports[i].tokens, expected.reports[i].tokens) << i;  // those of texts alone
      EXPECT_TRUE(expected.reports[i].graphs.empty());
    }
    // Five steps with one loss, ten with the other, each from the third on.
    EXPECT_EQ(found.reports.back().graphs,
              (std::map<std::string, int64_t>{{"recorded", 2},
                                              {"repeated", 11},
                                              {"warm-up", 4},
                                              {"eager: the batch passes in chunks", 4},
                                              {"eager: the loss trains a twin of the encoder", 1}}));
    EXPECT_EQ(graphs->counts().at("eager: the batch passes in chunks"), 5);
    EXPECT_EQ(log.recorded, 2);
  }
}

TEST(RecordedStep, RefusesABatchThatDoesNotFitBeforeItIsRepeated) {
  RecordingLog log;
  TrainerSpec spec = two_losses();
  spec.graphs =
      std::make_shared<StepGraphs>(at::kCPU, std::make_unique<KeepingRecorder>(log), std::make_unique<PlainUploader>());
  Trainer trainer(encoder_of("float32", no_dropout()), spec);
  const StepOptions options{.rates = {1e-2}, .loss = 1};
  const PackedBatch good = classified_batch();
  for (int i = 0; i < 4; ++i) trainer.step(good, options);
  PackedBatch bad = good;
  bad.labels = std::vector<int32_t>{2, 0, 3, 1};
  expect_error("ERR_INVALID_DATA", "labels from 0 to 2, but found 3", [&] { trainer.step(bad, options); });
  bad = good;
  bad.labels = std::vector<float>{2, 0, 1, 1};
  expect_error("ERR_INVALID_DATA", "needs integer labels", [&] { trainer.step(bad, options); });
  bad = good;
  bad.labels = std::monostate();
  expect_error("ERR_INVALID_DATA", "needs a label", [&] { trainer.step(bad, options); });
  EXPECT_EQ(log.seeds.size(), 2U);
  expect_error("ERR_INVALID_ARGUMENT", "Expected one rate or 2",
               [&] { trainer.step(good, {.rates = {1, 2, 3}, .loss = 1}); });
}

TEST(RecordedStep, SaysWhatCannotBeRecorded) {
  PackedBatch batch = scored_batch();
  const auto why = [&](const LossNeeds& needs, const StepOptions& options = {}, bool fixed = true) {
    const char* found = unrecorded(needs, batch, options, fixed);
    return std::string(found == nullptr ? "" : found);
  };
  EXPECT_EQ(why({}), "");
  EXPECT_EQ(why({.layers = true}), "");
  EXPECT_NE(why({.tokens = true}), "");
  EXPECT_NE(why({.encoder = true}), "");
  EXPECT_NE(why({.twin = true}), "");
  EXPECT_NE(why({.external = true}), "");
  EXPECT_NE(why({.capturable = false}), "");
  EXPECT_NE(why({}, {.mini_batch_tokens = 5}), "");
  EXPECT_NE(why({}, {}, false), "");
  batch.columns = 1;
  batch.lists = {0, 8};
  EXPECT_NE(why({}), "");
  EXPECT_FALSE(Network(tiny_bert({pooling({"mean", "max"})})).takes_fixed());
  EXPECT_TRUE(Network(tiny_bert({pooling({"mean", "cls"}), normalize()})).takes_fixed());
}

}  // namespace

}  // namespace st::test
