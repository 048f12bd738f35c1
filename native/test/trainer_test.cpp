// The trainer through the engine's public headers: its gradients and its steps.
#include <cmath>
#include <limits>

#include "training.h"

namespace st::test {

namespace {

// ------------------------------------------------------------------------------------------------------- gradients

// grad.* after one step against differences of evaluate(), for weights of every tensor.
TEST(Trainer, GradientsAreThoseOfTheLossThatIsEvaluated) {
  struct Case {
    Config loss;
    PackedBatch batch;
  };
  PackedBatch pairs = scored_batch();
  for (const Case& c : {Case{loss_of("MultipleNegativesRankingLoss"), pairs}, Case{loss_of("CoSENTLoss"), pairs},
                        Case{loss_of("CosineSimilarityLoss"), pairs},
                        Case{loss_of("SoftmaxLoss", {{"numLabels", 3.0}}), classified_batch()}}) {
    const std::string name = c.loss.string("type");
    SCOPED_TRACE(name);
    Trainer trainer(encoder_of("float64", no_dropout()), spec_of(c.loss));
    StepOptions half = kGradientsOnly;
    half.loss_scale = 0.5;
    const double loss = trainer.step(c.batch, half)->loss;
    EXPECT_NEAR(loss, trainer.evaluate(c.batch).loss, 1e-12);
    const auto gradients = dump_weights<double>(trainer, "grad.");
    EXPECT_EQ(gradients.size(), 5 + 2 * 16 + 2 + (name == "SoftmaxLoss" ? 2U : 0U));
    double greatest = 0;
    for (const auto& [tensor, values] : gradients) {
      for (double value : values) greatest = std::max(greatest, std::abs(value));
    }
    ASSERT_GT(greatest, 1e-4);
    const Threads one(1);
    for (const auto& [tensor, values] : gradients) {
      const std::string weight = tensor.substr(5);
      const bool of_loss = weight.rfind("loss.", 0) == 0;
      for (size_t i = 0; i < values.size(); i += 1 + values.size() / 4) {
        const auto at = [&](double shift) {
          double value = 0;
          std::vector<TensorRange> range = {{weight, static_cast<int64_t>(i), "F64", &value, 8}};
          trainer.dump(range);
          const double before = value;
          value += shift;
          trainer.load(range);
          const double out = trainer.evaluate(c.batch).loss;
          value = before;
          trainer.load(range);
          return out;
        };
        const double expected = 0.5 * (at(1e-6) - at(-1e-6)) / 2e-6;
        EXPECT_NEAR(values[i], expected, 1e-6 * greatest + 1e-9) << tensor << (of_loss ? " (loss)" : "") << " " << i;
      }
    }
  }
}

TEST(Trainer, AccumulatedHalvesEqualTheWholeBatch) {
  const PackedBatch whole = scored_batch();
  PackedBatch halves[2];
  for (int half = 0; half < 2; ++half) {
    PackedBatch& to = halves[half];
    to.columns = 2;
    to.offsets = {0};
    for (int row : {2 * half, 2 * half + 1, 2 * half + 4, 2 * half + 5}) {
      to.ids.insert(to.ids.end(), whole.ids.begin() + whole.offsets[row], whole.ids.begin() + whole.offsets[row + 1]);
      to.token_types.insert(to.token_types.end(), whole.token_types.begin() + whole.offsets[row],
                            whole.token_types.begin() + whole.offsets[row + 1]);
      to.offsets.push_back(static_cast<int32_t>(to.tokens()));
    }
    const auto& labels = std::get<std::vector<float>>(whole.labels);
    to.labels = std::vector<float>{labels[2 * half], labels[2 * half + 1]};
  }
  Trainer once(encoder_of("float32", no_dropout()), spec_of(loss_of("CosineSimilarityLoss")));
  Trainer twice(encoder_of("float32", no_dropout()), spec_of(loss_of("CosineSimilarityLoss")));
  const double loss = once.step(whole, kGradientsOnly)->loss;
  StepOptions half = kGradientsOnly;
  half.loss_scale = 0.5;
  half.report = false;
  EXPECT_FALSE(twice.step(halves[0], half).has_value());
  half.report = true;
  const StepReport report = *twice.step(halves[1], half);
  EXPECT_EQ(report.batches, 2);
  EXPECT_EQ(report.updates, 0);
  EXPECT_NEAR(report.loss, loss, 1e-6);  // the mean of the two, without the scale
  const Weights a = dump_weights(once, "grad."), b = dump_weights(twice, "grad.");
  EXPECT_LE(largest_difference(a, b), 2e-6 * largest(a));
}

// ------------------------------------------------------------------------------------------------------------ steps

Weights train(uint64_t seed) {
  TrainerSpec spec = spec_of(loss_of("MultipleNegativesRankingLoss"));
  spec.seed = seed;
  auto encoder = encoder_of();
  Trainer trainer(encoder, spec);
  for (int i = 0; i < 3; ++i) trainer.step(scored_batch(), {.rates = {1e-3}});
  return dump_weights(*encoder);
}

TEST(Trainer, RunsAreBitIdentical) {
  const Weights first = train(42);
  EXPECT_TRUE(first == train(42));
  EXPECT_GT(largest_difference(first, train(43)), 1e-4);  // other masks
}

TEST(Trainer, GradientsDependLittleOnTheNumberOfThreads) {
  const auto gradients = [](int threads) {
    const Threads set(threads);
    Trainer trainer(encoder_of(), spec_of(loss_of("MultipleNegativesRankingLoss")));
    trainer.step(scored_batch(), kGradientsOnly);
    return dump_weights(trainer, "grad.");
  };
  const Weights one = gradients(1);
  EXPECT_LE(largest_difference(one, gradients(2)), 1e-5 * largest(one));
}

TEST(Trainer, TrainsTheClassifierOfSoftmaxLossToo) {
  const Threads one(1);
  TrainerSpec spec = spec_of(loss_of("SoftmaxLoss", {{"numLabels", 3.0}}));
  Trainer trainer(encoder_of("float32", no_dropout()), spec);
  const PackedBatch batch = classified_batch();
  const double before = trainer.evaluate(batch).loss;
  const Weights initial = dump_weights(trainer, "loss.");
  EXPECT_EQ(initial.size(), 2U);
  for (int i = 0; i < 30; ++i) trainer.step(batch, kUpdate);
  EXPECT_LT(trainer.evaluate(batch).loss, 0.5 * before);
  const Weights trained = dump_weights(trainer, "loss.");
  for (const auto& [name, values] : trained) EXPECT_NE(values, initial.at(name)) << name;
}

TEST(Trainer, LearnsWithDropoutAndInBf16) {
  const Threads one(1);
  for (const char* dtype : {"float32", "bfloat16"}) {
    Trainer trainer(encoder_of(dtype), spec_of(loss_of("MultipleNegativesRankingLoss")));
    const PackedBatch batch = scored_batch();
    const double before = trainer.evaluate(batch).loss;
    for (int i = 0; i < 20; ++i) trainer.step(batch, {.rates = {1e-2}});
    EXPECT_LT(trainer.evaluate(batch).loss, 0.8 * before) << dtype;
    EXPECT_EQ(trainer.evaluate(batch).loss, trainer.evaluate(batch).loss);
  }
}

TEST(Trainer, MasksChangeFromStepToStepAndFromBatchToBatch) {
  Trainer trainer(encoder_of(), spec_of(loss_of("CosineSimilarityLoss")));
  const StepOptions still{.report = true};  // learning rate 0: the weights stay
  const double a = trainer.step(scored_batch(), still)->loss, b = trainer.step(scored_batch(), still)->loss;
  EXPECT_NE(a, b);
  const double c = trainer.step(scored_batch(), kGradientsOnly)->loss,
               d = trainer.step(scored_batch(), kGradientsOnly)->loss;
  EXPECT_NE(c, d);
}

TEST(Trainer, ClipsByTheNormOfAllGradientsAndReportsTheOneBefore) {
  TrainerSpec spec = spec_of(loss_of("SoftmaxLoss", {{"numLabels", 3.0}}));
  spec.max_grad_norm = 0.01;
  Trainer trainer(encoder_of("float64", no_dropout()), spec);
  trainer.step(classified_batch(), kGradientsOnly);
  const auto gradients = dump_weights<double>(trainer, "grad.");
  const double once = norm(gradients);
  ASSERT_GT(once, 0.02);
  const StepReport report = *trainer.step(classified_batch(), kUpdate);  // adds the same again
  EXPECT_NEAR(report.grad_norm, 2 * once, 1e-9);
  EXPECT_EQ(report.updates, 1);
  const auto moments = dump_weights<double>(trainer, "exp_avg.");
  EXPECT_NEAR(norm(moments), 0.1 * 0.01, 1e-6);
  const double factor = 0.01 / (2 * once + 1e-6);
  for (const auto& [name, values] : moments) {
    const auto& gradient = gradients.at("grad." + name.substr(8));
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], 0.1 * factor * 2 * gradient[i], 1e-12) << name;
  }
  EXPECT_EQ(norm(dump_weights<double>(trainer, "grad.")), 0);
}

TEST(Trainer, WithoutClippingTheMomentsHoldTheGradients) {
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.max_grad_norm = 0;
  Trainer trainer(encoder_of("float64", no_dropout()), spec);
  const StepReport report = *trainer.step(scored_batch(), kUpdate);
  EXPECT_NEAR(norm(dump_weights<double>(trainer, "exp_avg.")), 0.1 * report.grad_norm, 1e-12);
}

TEST(Trainer, RatesAreThoseOfTheirGroups) {
  for (bool decay : {true, false}) {
    auto encoder = encoder_of();
    Trainer trainer(encoder, spec_of(loss_of("CosineSimilarityLoss")));
    const Weights before = dump_weights(*encoder);
    trainer.step(scored_batch(), {.rates = {decay ? 1e-2 : 0, decay ? 0 : 1e-2}});
    const Weights after = dump_weights(*encoder);
    for (const TensorInfo& info : encoder->tensors()) {
      const bool moved = after.at(info.name) != before.at(info.name);
      EXPECT_EQ(moved, (info.group == Group::kDecay) == decay) << info.name;
      EXPECT_EQ(info.group == Group::kDecay, info.shape.size() == 2) << info.name;
    }
  }
}

TEST(Trainer, AStepThatIsNotFiniteIsSkippedAndCounted) {
  auto encoder = encoder_of();
  Trainer trainer(encoder, spec_of(loss_of("CosineSimilarityLoss")));
  const double loss = trainer.step(scored_batch(), kUpdate)->loss;
  EXPECT_TRUE(std::isfinite(loss));
  const Weights before = dump_weights(*encoder), moments = dump_weights(trainer, "exp_avg.");
  PackedBatch bad = scored_batch();
  std::get<std::vector<float>>(bad.labels)[1] = std::numeric_limits<float>::quiet_NaN();
  const StepReport report = *trainer.step(bad, kUpdate);
  EXPECT_EQ(report.skipped, 1);
  EXPECT_EQ(report.updates, 0);
  EXPECT_EQ(report.batches, 1);
  EXPECT_TRUE(std::isnan(report.grad_norm));
  EXPECT_TRUE(before == dump_weights(*encoder));
  EXPECT_TRUE(moments == dump_weights(trainer, "exp_avg."));
  EXPECT_EQ(largest(dump_weights(trainer, "grad.")), 0);
  // The next one counts again, from zero, and a lost loss does not spoil the mean.
  StepOptions silent = kUpdate;
  silent.report = false;
  trainer.step(bad, silent);
  const StepReport next = *trainer.step(scored_batch(), kUpdate);
  EXPECT_EQ(next.skipped, 1);
  EXPECT_EQ(next.updates, 1);
  EXPECT_EQ(next.batches, 2);
  EXPECT_TRUE(std::isfinite(next.loss) && std::isfinite(next.grad_norm));
  EXPECT_FALSE(before == dump_weights(*encoder));
}

TEST(Trainer, StateThatIsLoadedIsGoneOnFrom) {
  const PackedBatch batch = scored_batch();
  auto encoder = encoder_of("float32", no_dropout());
  Trainer trainer(encoder, spec_of(loss_of("CosineSimilarityLoss")));
  trainer.step(batch, kUpdate);
  const Weights first = dump_weights(trainer, "exp_avg"), weights = dump_weights(*encoder);
  EXPECT_GT(largest(first), 0);
  trainer.step(batch, kGradientsOnly);
  const Weights gradients = dump_weights(trainer, "grad.");

  auto other = encoder_of("float32", no_dropout());
  Trainer resumed(other, spec_of(loss_of("CosineSimilarityLoss")));
  load_weights(*other, weights);
  load_weights(resumed, first);
  load_weights(resumed, gradients);
  EXPECT_TRUE(dump_weights(resumed, "exp_avg") == first);
  EXPECT_TRUE(dump_weights(resumed, "grad.") == gradients);
}

}  // namespace

}  // namespace st::test
