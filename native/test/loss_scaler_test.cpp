// Training with scaled losses, on the CPU: against training without, and in float16, which the references of all ops
// compute. What torch.amp.GradScaler makes of the same gradients is in test/parity/loss-scaler.test.ts.
#include "engine/loss_scaler.h"

#include <ATen/ops/full.h>

#include <cmath>
#include <limits>

#include "engine/step_graph.h"
#include "recording.h"
#include "training.h"

namespace st::test {

namespace {

at::Tensor flag(bool skipped) {
  return at::full({}, skipped ? 1 : 0, at::kFloat);
}

TEST(LossScaler, HalvesAndDoubles) {
  LossScaler scaler(at::kCPU);
  EXPECT_EQ(scaler.state().scale, 65536);
  const void* place = scaler.scale().data_ptr();
  for (const auto& [skipped, scale, tracker] : {std::tuple{false, 65536.0, 1}, std::tuple{true, 32768.0, 0},
                                                std::tuple{true, 16384.0, 0}, std::tuple{false, 16384.0, 1}}) {
    scaler.update(flag(skipped));
    EXPECT_EQ(scaler.state().scale, scale);
    EXPECT_EQ(scaler.state().growth_tracker, tracker);
  }
  for (int i = 0; i < 1998; ++i) scaler.update(flag(false));
  EXPECT_EQ(scaler.state().scale, 16384);
  scaler.update(flag(false));
  EXPECT_EQ(scaler.state().scale, 32768);
  EXPECT_EQ(scaler.state().growth_tracker, 0);
  scaler.set({0.5, 7});
  EXPECT_EQ(scaler.state().scale, 0.5);
  EXPECT_EQ(scaler.state().growth_tracker, 7);
  EXPECT_EQ(scaler.scale().data_ptr(), place);
  for (double scale : {-1.0, std::numeric_limits<double>::infinity(), std::nan(""), 1e-300, 0.1}) {
    expect_error("ERR_INVALID_ARGUMENT", "a float32 of at least 0", [&] { scaler.set({scale, 0}); });
  }
  expect_error("ERR_INVALID_ARGUMENT", "a count of updates", [&] { scaler.set({1, -1}); });
  expect_error("ERR_INVALID_ARGUMENT", "a count of updates", [&] { scaler.set({1, int64_t{1} << 40}); });
}

PackedBatch spoilt(PackedBatch batch) {
  std::get<std::vector<float>>(batch.labels)[1] = std::numeric_limits<float>::quiet_NaN();
  return batch;
}

struct Outcome {
  std::vector<StepReport> reports;
  Weights weights, moments;
  std::vector<int64_t> counters;
};

TrainerSpec three_losses(bool scales) {
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.losses = {{"scores", loss_of("CosineSimilarityLoss")},
                 {"classes", loss_of("SoftmaxLoss", {{"numLabels", 3.0}})},
                 {"tension", loss_of("ContrastiveTensionLossInBatchNegatives")},
                 {"custom", loss_of("Custom", {{"parameters", Config::Object{}}})}};
  // Gradients that are 0 but for rounding move a weight by little only.
  spec.optimizer = Config::Object{{"type", text("adamw")}, {"epsilon", 1e-2}};
  spec.max_grad_norm = 0.05;
  spec.without_waiting = true;
  spec.loss_scaler = scales;
  return spec;
}

// Accumulation, chunks, a twin, a loss of the caller.
Outcome train(const TrainerSpec& spec, double scale) {
  auto encoder = encoder_of();
  Trainer trainer(encoder, spec);
  if (spec.loss_scaler) trainer.set_loss_scaler({scale, 0});
  Outcome out;
  const auto step = [&](const PackedBatch& batch, const StepOptions& options) {
    if (const auto report = trainer.step(batch, options)) out.reports.push_back(*report);
  };
  const std::vector<double> rates = {1e-2, 3e-3};
  for (int round = 0; round < 3; ++round) {
    step(scored_batch(), {.rates = {5e-3}, .report = true});
    step(scored_batch(), {.loss_scale = 0.5, .update = false});
    step(classified_batch(), {.rates = rates, .loss_scale = 0.5, .report = true, .loss = 1});
    step(scored_batch(), {.rates = rates, .loss = 2});
    step(scored_batch(), {.rates = rates, .report = true, .mini_batch_rows = 3});
    std::vector<float> embeddings(scored_batch().rows() * 6);
    const StepOptions custom{.rates = rates, .report = true, .loss = 3};
    trainer.embed(scored_batch(), embeddings.data(), static_cast<int64_t>(embeddings.size()), custom);
    out.reports.push_back(*trainer.apply({1.5, embeddings, {}, {}}, custom));
  }
  out.weights = dump_weights(*encoder);
  out.moments = dump_weights(trainer, "exp_avg");
  out.counters = trainer.counters();
  return out;
}

// Of training with the scale and without.
void compare(const TrainerSpec& spec, double scale, double tolerance) {
  const Outcome found = train(spec, scale), expected = train(three_losses(false), 1);
  EXPECT_LE(largest_difference(found.weights, expected.weights), tolerance * largest(expected.weights));
  EXPECT_LE(largest_difference(found.moments, expected.moments), tolerance * largest(expected.moments));
  EXPECT_EQ(found.counters, expected.counters);
  ASSERT_EQ(found.reports.size(), expected.reports.size());
  for (size_t i = 0; i < found.reports.size(); ++i) {
    SCOPED_TRACE("report " + std::to_string(i));
    EXPECT_NEAR(found.reports[i].loss, expected.reports[i].loss, tolerance * std::abs(expected.reports[i].loss));
    EXPECT_NEAR(found.reports[i].grad_norm, expected.reports[i].grad_norm, tolerance * expected.reports[i].grad_norm);
    EXPECT_EQ(found.reports[i].skipped, 0);
    EXPECT_EQ(found.reports[i].updates, expected.reports[i].updates);
    EXPECT_EQ(found.reports[i].loss_scale, scale);
    EXPECT_EQ(expected.reports[i].loss_scale, std::nullopt);
  }
}

// The scale is a power of 2, so that only sums of gradients of different sizes round otherwise.
TEST(LossScaler, ChangesNothingInFloat32) {
  compare(three_losses(true), 65536, 1e-5);
}

TEST(LossScaler, ScalesRecordedSteps) {
  RecordingLog log;
  TrainerSpec spec = three_losses(true);
  spec.graphs =
      std::make_shared<StepGraphs>(at::kCPU, std::make_unique<KeepingRecorder>(log), std::make_unique<PlainUploader>());
  Trainer trainer(encoder_of("float32", no_dropout()), spec);
  Trainer other(encoder_of("float32", no_dropout()), three_losses(false));
  const auto expect_equal = [&] {
    const double expected = other.step(scored_batch(), kUpdate)->grad_norm;
    EXPECT_NEAR(trainer.step(scored_batch(), kUpdate)->grad_norm, expected, 1e-5 * expected);
  };
  for (int i = 0; i < 4; ++i) expect_equal();
  EXPECT_EQ(log.recorded, 1);
  // A recording reads the scale of its repetition.
  trainer.set_loss_scaler({8, 0});
  for (int i = 0; i < 2; ++i) expect_equal();
  EXPECT_EQ(log.recorded, 1);
  EXPECT_GE(log.seeds.size(), 4U);
}

// The n-th update that is made has the n-th rate, so that those skipped delay the others, also across a report.
TEST(LossScaler, SkippedUpdatesDelayRates) {
  const auto train_with = [](const std::vector<int>& skipped_before) {
    TrainerSpec spec = three_losses(true);
    auto encoder = encoder_of("float32", no_dropout());
    Trainer trainer(encoder, spec);
    StepReport last;
    int given = 0;
    const auto step = [&](const PackedBatch& batch) {
      const double rate = 1e-3 * ++given;
      last = *trainer.step(batch, {.rates = {rate, rate / 2}, .report = true});
    };
    for (int update = 0; update < 6; ++update) {
      for (int i = 0; i < skipped_before[static_cast<size_t>(update)]; ++i) {
        step(spoilt(scored_batch()));
        EXPECT_EQ(last.skipped, 1);
      }
      step(scored_batch());
      EXPECT_EQ(last.updates, 1);
    }
    const LossScaler::State state = *trainer.loss_scaler();
    EXPECT_EQ(state.scale, *last.loss_scale);
    return std::pair{dump_weights(*encoder), state};
  };
  const auto [plain, plain_state] = train_with({0, 0, 0, 0, 0, 0});
  EXPECT_EQ(plain_state.scale, 65536);
  EXPECT_EQ(plain_state.growth_tracker, 6);
  const auto [found, state] = train_with({2, 0, 1, 0, 3, 0});
  EXPECT_EQ(state.scale, 1024);
  EXPECT_EQ(state.growth_tracker, 2);
  EXPECT_LE(largest_difference(found, plain), 1e-6 * largest(plain));
}

// More updates than the first rows of the table of rates.
TEST(LossScaler, KeepsTheRatesOfLongTrainings) {
  const Config::Object shape{{"shape", Config::Array{1.0}}, {"decay", false}};
  TrainerSpec spec = spec_of(loss_of("Custom", {{"parameters", Config::Object{{"w", shape}}}}));
  spec.optimizer = Config::Object{{"type", text("sgd")}};
  spec.weight_decay = 0;
  spec.max_grad_norm = 0;
  spec.loss_scaler = true;
  Trainer trainer(encoder_of("float32", no_dropout()), spec);
  const PackedBatch batch = batch_of({1});
  std::vector<float> embeddings(6);
  double expected = 0;
  constexpr int kSteps = 2200, kSkipped = 5;
  for (int i = 0; i < kSteps; ++i) {
    const StepOptions options{.rates = {static_cast<double>(i)}};
    trainer.embed(batch, embeddings.data(), 6, options);
    const float gradient = i % 400 == 300 ? std::numeric_limits<float>::infinity() : 1;
    trainer.apply({0, std::vector<float>(6), {{"loss.w", {gradient}}}, {}}, options);
  }
  for (int i = 0; i < kSteps - kSkipped; ++i) expected -= i;
  EXPECT_EQ(dump_weights(trainer, "loss.").at("loss.w")[0], static_cast<float>(expected));
}

TEST(LossScaler, TrainsInFloat16) {
  TrainerSpec half = three_losses(true);
  half.precision = "float16";
  compare(half, 256, 2e-2);
}

// Gradients beyond 65,504 are infinite in float16: the scale falls until they are not.
TEST(LossScaler, FindsItsScaleInFloat16) {
  TrainerSpec spec = three_losses(true);
  spec.precision = "float16";
  auto encoder = encoder_of("float32", no_dropout());
  Trainer trainer(encoder, spec);
  trainer.set_loss_scaler({std::ldexp(1, 40), 0});
  const Weights before = dump_weights(*encoder);
  int skipped = 0;
  for (StepReport report; skipped < 40; ++skipped) {
    report = *trainer.step(scored_batch(), kUpdate);
    EXPECT_TRUE(std::isfinite(report.loss));
    if (report.updates == 1) {
      EXPECT_TRUE(std::isfinite(report.grad_norm));
      break;
    }
    EXPECT_EQ(report.loss_scale, std::ldexp(1, 39 - skipped));
    EXPECT_EQ(largest_difference(dump_weights(*encoder), before), 0);
  }
  EXPECT_GT(skipped, 5);
  EXPECT_LT(skipped, 35);
  EXPECT_GT(largest_difference(dump_weights(*encoder), before), 0);
}

// Small gradients are 0 in float16 without the scale, and those of training in float32 with it.
TEST(LossScaler, KeepsSmallGradientsInFloat16) {
  const auto norm_of = [](const std::string& precision, bool scales) {
    TrainerSpec spec = three_losses(scales);
    spec.precision = precision;
    Trainer trainer(encoder_of("float32", no_dropout()), spec);
    return trainer.step(scored_batch(), {.rates = {0}, .loss_scale = 1e-6, .report = true})->grad_norm;
  };
  const double expected = norm_of("", false), found = norm_of("float16", true), without = norm_of("float16", false);
  EXPECT_GT(expected, 0);
  EXPECT_NEAR(found, expected, 0.02 * expected);
  EXPECT_GT(std::abs(without - expected), 0.1 * expected);
}

TEST(LossScaler, GoesOnFromACheckpoint) {
  const auto run = [](bool stops) {
    auto encoder = encoder_of("float32", no_dropout());
    const TrainerSpec spec = three_losses(true);
    auto trainer = std::make_unique<Trainer>(encoder, spec);
    trainer->set_loss_scaler({65536, 1997});
    for (int i = 0; i < 2; ++i) trainer->step(scored_batch(), kUpdate);
    trainer->step(spoilt(scored_batch()), kUpdate);
    if (stops) {
      const Weights state = dump_weights(*trainer, "exp_avg");
      const std::vector<int64_t> counters = trainer->counters();
      const LossScaler::State scaler = *trainer->loss_scaler();
      trainer.reset();
      trainer = std::make_unique<Trainer>(encoder, spec);
      load_weights(*trainer, state);
      trainer->set_counters(counters);
      trainer->set_loss_scaler(scaler);
    }
    for (int i = 0; i < 2; ++i) trainer->step(scored_batch(), kUpdate);
    EXPECT_EQ(trainer->loss_scaler()->scale, 32768);
    EXPECT_EQ(trainer->loss_scaler()->growth_tracker, 2);
    return dump_weights(*encoder);
  };
  EXPECT_TRUE(run(true) == run(false));
}

TEST(LossScaler, IsRefusedWhereItIsNotBuilt) {
  const auto refused = [](const std::string& code, const std::string& message, const auto& change) {
    TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
    change(spec);
    expect_error(code, message, [&] { Trainer(encoder_of(), spec); });
  };
  refused("ERR_UNSUPPORTED", "on a GPU alone", [](TrainerSpec& spec) { spec.precision = "float16"; });
  refused("ERR_NOT_IMPLEMENTED", "never zeroed",
          [](TrainerSpec& spec) { spec.loss_scaler = spec.compat_loss_gradients = true; });
  Trainer trainer(encoder_of(), spec_of(loss_of("CosineSimilarityLoss")));
  EXPECT_FALSE(trainer.loss_scaler().has_value());
  expect_error("ERR_INVALID_ARGUMENT", "scales no losses", [&] { trainer.set_loss_scaler({}); });
}

}  // namespace

}  // namespace st::test
