// Gradient caching, twins, groups, optimisers, custom losses: what a step does beside one loss on one batch.
#include <algorithm>
#include <cmath>

#include "core/profile.h"
#include "training.h"

namespace st::test {

namespace {

// ------------------------------------------------------------------------------------------------- gradient caching

TEST(GradientCaching, ChunksOfAnySizeGiveTheGradientsOfTheWholeBatchWithDropout) {
  for (const char* type : {"MultipleNegativesRankingLoss", "CoSENTLoss", "SoftmaxLoss"}) {
    SCOPED_TRACE(type);
    const bool softmax = std::string(type) == "SoftmaxLoss";
    const Config loss = loss_of(type, softmax ? Config::Object{{"numLabels", 3.0}} : Config::Object{});
    const PackedBatch batch = softmax ? classified_batch() : scored_batch();
    const auto gradients = [&](int64_t rows, int64_t tokens) {
      Trainer trainer(encoder_of("float64"), spec_of(loss));
      StepOptions options = kGradientsOnly;
      options.mini_batch_rows = rows;
      options.mini_batch_tokens = tokens;
      const double value = trainer.step(batch, options)->loss;
      auto out = dump_weights<double>(trainer, "grad.");
      out["loss"] = {value};
      return out;
    };
    const auto whole = gradients(0, 0);
    for (const auto& [rows, tokens] : {std::pair<int64_t, int64_t>{1, 0}, {3, 0}, {8, 0}, {0, 1}, {0, 20}, {0, 1000}}) {
      const auto chunked = gradients(rows, tokens);
      ASSERT_EQ(chunked.size(), whole.size());
      for (const auto& [name, values] : whole) {
        for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(chunked.at(name)[i], values[i], 1e-12) << name;
      }
    }
  }
}

TEST(GradientCaching, ChunksThatHoldEverythingChangeNoBit) {
  const auto weights = [&](int64_t tokens) {
    auto encoder = encoder_of();
    Trainer trainer(encoder, spec_of(loss_of("CoSENTLoss")));
    StepOptions options = kUpdate;
    options.mini_batch_tokens = tokens;
    for (int step = 0; step < 3; ++step) trainer.step(scored_batch(), options);
    return dump_weights(*encoder);
  };
  EXPECT_EQ(weights(0), weights(1000));
}

TEST(ActivationCheckpointing, ChangesNoBit) {
  const auto weights = [&](bool checkpointing) {
    auto encoder = encoder_of();
    TrainerSpec spec = spec_of(loss_of("CoSENTLoss"));
    spec.activation_checkpointing = checkpointing;
    Trainer trainer(encoder, spec);
    for (int step = 0; step < 3; ++step) trainer.step(scored_batch(), kUpdate);
    return dump_weights(*encoder);
  };
  EXPECT_EQ(weights(false), weights(true));
}

// ----------------------------------------------------------------------------------------------------- parameter
// groups

TEST(Groups, EachHasItsRateAndFrozenOnesStay) {
  auto encoder = encoder_of();
  const auto before = dump_weights(*encoder);
  const std::string frozen = "0.embeddings.word_embeddings.weight",
                    slow = "0.encoder.layer.0.attention.self.key.weight", still = "1.linear.bias";
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.weight_decay = 0;
  Trainer trainer(encoder, spec);
  std::map<std::string, int> groups = {{frozen, -1}, {slow, 2}};
  for (const TensorInfo& tensor : encoder->tensors()) {
    if (tensor.name.find("linear.bias") != std::string::npos) groups[tensor.name] = 3;
  }
  ASSERT_EQ(groups.size(), 3U);
  trainer.set_groups({0, 0, 0, 0.5}, groups);
  StepOptions options = kUpdate;
  options.rates = {1e-2, 1e-2, 1e-4, 0};
  trainer.step(scored_batch(), options);
  const auto after = dump_weights(*encoder);
  const auto moved = [&](const std::string& name) {
    double largest = 0;
    for (size_t i = 0; i < before.at(name).size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(after.at(name)[i]) - before.at(name)[i]));
    }
    return largest;
  };
  for (const auto& [name, values] : before) {
    // The gradient of a key's bias is zero but for rounding.
    if (groups.count(name) == 0 && name.find("key.bias") == std::string::npos) {
      EXPECT_NEAR(moved(name), 1e-2, 2e-3) << name;
    }
  }
  EXPECT_EQ(moved(frozen), 0);
  EXPECT_NEAR(moved(slow), 1e-4, 2e-5);
  expect_error("ERR_INVALID_ARGUMENT", "before the first job", [&] { trainer.set_groups({0, 0}, {}); });
  expect_error("ERR_INVALID_ARGUMENT", "one rate or 4", [&] {
    StepOptions wrong = kUpdate;
    wrong.rates = {1, 1};
    trainer.step(scored_batch(), wrong);
  });
}

TEST(Groups, AFrozenTensorDoesNotCountInTheNorm) {
  const auto norm_of = [&](bool freeze) {
    auto encoder = encoder_of();
    Trainer trainer(encoder, spec_of(loss_of("CoSENTLoss")));
    if (freeze) trainer.set_groups({0, 0}, {{"0.embeddings.word_embeddings.weight", -1}});
    StepOptions options = kUpdate;
    options.rates = {0};
    return trainer.step(scored_batch(), options)->grad_norm;
  };
  Trainer trainer(encoder_of(), spec_of(loss_of("CoSENTLoss")));
  trainer.step(scored_batch(), kGradientsOnly);
  auto gradients = dump_weights<double>(trainer, "grad.");
  EXPECT_NEAR(norm_of(false), norm(gradients), 1e-5 * norm(gradients));
  gradients.erase("grad.0.embeddings.word_embeddings.weight");
  EXPECT_NEAR(norm_of(true), norm(gradients), 1e-5 * norm(gradients));
  EXPECT_LT(norm_of(true), norm_of(false));
}

// ---------------------------------------------------------------------------------------------------------- optimisers

// Freezing changes no gradient of what is trained, and saves the work below.
TEST(Groups, NothingBelowTheLowestTrainedTensorIsDifferentiated) {
  const auto run = [&](const std::vector<std::string>& trained_layers,
                       std::map<std::string, std::vector<float>>& grads) {
    const auto encoder = encoder_of();
    Trainer trainer(encoder, spec_of(loss_of("CosineSimilarityLoss")));
    std::map<std::string, int> groups;
    for (const TensorInfo& tensor : encoder->tensors()) {
      const bool trained = std::any_of(trained_layers.begin(), trained_layers.end(), [&](const std::string& layer) {
        return tensor.name.find(layer) != std::string::npos;
      });
      if (!trained && tensor.group != Group::kFrozen) groups[tensor.name] = -1;
    }
    trainer.set_groups({0, 0}, groups);
    profile_start();
    trainer.step(scored_batch(), {.rates = {0}, .update = false});
    const Profile profile = profile_stop();
    grads = dump_weights(trainer, "grad.0.");
    int64_t calls = 0;
    for (const Profile::Part& part : profile.parts) {
      if (part.name == "attention, backward") calls = part.calls;
    }
    return calls;
  };
  std::map<std::string, std::vector<float>> all, upper, none;
  EXPECT_EQ(run({"0."}, all), 2);
  EXPECT_EQ(run({"layer.1."}, upper), 1);
  EXPECT_EQ(run({"nothing"}, none), 0);
  for (const auto& [name, values] : all) {
    // What is frozen has no gradient, and no memory for one.
    const bool trained = name.find("layer.1.") != std::string::npos;
    EXPECT_EQ(upper.count(name), trained ? 1U : 0U) << name;
    if (trained) EXPECT_EQ(upper[name], values) << name;
    EXPECT_EQ(none.count(name), 0U) << name;
  }
}

TEST(Optimizers, SgdAndRmsPropByHand) {
  for (const char* type : {"sgd", "rmsprop"}) {
    SCOPED_TRACE(type);
    auto encoder = encoder_of("float64", no_dropout());
    TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
    spec.optimizer = Config::Object{{"type", text(type)}};
    spec.max_grad_norm = 0;
    spec.weight_decay = 0.1;
    Trainer trainer(encoder, spec);
    std::map<std::string, double> square;
    for (int step = 0; step < 3; ++step) {
      trainer.step(scored_batch(), kGradientsOnly);
      const auto gradients = dump_weights<double>(trainer, "grad.");
      const auto before = dump_weights<double>(*encoder);
      // The gradients are added up: those of two equal batches are halved.
      StepOptions options = kUpdate;
      options.loss_scale = 0;
      trainer.step(scored_batch(), options);
      const auto after = dump_weights<double>(*encoder);
      for (const TensorInfo& tensor : encoder->tensors()) {
        const double w = before.at(tensor.name)[0], decay = tensor.group == Group::kDecay ? 0.1 : 0;
        const double g = gradients.at("grad." + tensor.name)[0] + decay * w;
        double& s = square[tensor.name];
        s = 0.99 * s + 0.01 * g * g;
        const double step_of = std::string(type) == "sgd" ? g : g / (std::sqrt(s) + 1e-8);
        EXPECT_NEAR(after.at(tensor.name)[0], w - 1e-2 * step_of, 1e-12) << tensor.name;
      }
    }
  }
}

// -------------------------------------------------------------------------------------------------------- several
// losses

TEST(SeveralLosses, EachHasParametersOfItsOwnAndMovesThemAlone) {
  TrainerSpec spec = spec_of({});
  spec.losses = {{"nli", loss_of("SoftmaxLoss", {{"numLabels", 3.0}})},
                 {"sts", loss_of("CoSENTLoss")},
                 {"other", loss_of("SoftmaxLoss", {{"numLabels", 4.0}})}};
  Trainer trainer(encoder_of(), spec);
  const auto weights = [&] { return dump_weights(trainer, "loss."); };
  const auto before = weights();
  ASSERT_EQ(before.size(), 4U);
  ASSERT_EQ(before.count("loss.nli.classifier.weight"), 1U);
  StepOptions options = kUpdate;
  trainer.step(classified_batch(), options);
  auto after = weights();
  EXPECT_NE(after["loss.nli.classifier.weight"], before.at("loss.nli.classifier.weight"));
  EXPECT_EQ(after["loss.other.classifier.weight"], before.at("loss.other.classifier.weight"));
  options.loss = 1;
  trainer.step(scored_batch(), options);
  EXPECT_EQ(weights(), after);
  EXPECT_EQ(trainer.counters(), (std::vector<int64_t>{2, 2, 1, 1, 0}));
  options.loss = 3;
  expect_error("ERR_INVALID_ARGUMENT", "a loss from 0 to 2", [&] { trainer.step(scored_batch(), options); });
}

TEST(SeveralLosses, CountersAndTensorsAreAllThatGoingOnNeeds) {
  const auto start = [](const std::shared_ptr<Encoder>& encoder) {
    return std::make_unique<Trainer>(encoder, spec_of(loss_of("SoftmaxLoss", {{"numLabels", 3.0}})));
  };
  auto first = encoder_of();
  auto trainer = start(first);
  for (int step = 0; step < 2; ++step) trainer->step(classified_batch(), kUpdate);
  auto state = dump_weights(*trainer, "exp_avg");
  for (const auto& [name, values] : dump_weights(*trainer, "loss.")) state[name] = values;
  const auto counters = trainer->counters();
  auto second = encoder_of();
  load_weights(*second, dump_weights(*first));
  for (int step = 0; step < 2; ++step) trainer->step(classified_batch(), kUpdate);

  auto later = start(second);
  load_weights(*later, state);
  later->set_counters(counters);
  for (int step = 0; step < 2; ++step) later->step(classified_batch(), kUpdate);
  EXPECT_EQ(dump_weights(*first), dump_weights(*second));
  EXPECT_EQ(dump_weights(*trainer, "loss."), dump_weights(*later, "loss."));
  expect_error("ERR_INVALID_ARGUMENT", "belong to a trainer with other losses", [&] { later->set_counters({1, 2}); });
}

// --------------------------------------------------------------------------------------------------------- custom
// losses

TEST(CustomLoss, GradientsFromOutsideDoWhatThoseOfTheEngineDo) {
  const PackedBatch batch = scored_batch();
  Trainer native(encoder_of("float64"), spec_of(loss_of("CosineSimilarityLoss")));
  Trainer custom(encoder_of("float64"), spec_of(loss_of("Custom", {{"parameters", Config::Object{}}})));
  for (int64_t rows : {0, 3}) {
    StepOptions options = kGradientsOnly;
    options.mini_batch_rows = rows;
    std::vector<float> x(8 * 6);
    custom.embed(batch, x.data(), 48, options);
    // The mean of (cos - y)^2, by central differences in the embeddings.
    const auto value = [&](const std::vector<float>& at) {
      double sum = 0;
      for (int row = 0; row < 4; ++row) {
        double dot = 0, a = 0, b = 0;
        for (int d = 0; d < 6; ++d) {
          const double u = at[row * 6 + d], v = at[(4 + row) * 6 + d];
          dot += u * v;
          a += u * u;
          b += v * v;
        }
        const double error = dot / std::sqrt(a * b) - std::get<std::vector<float>>(batch.labels)[row];
        sum += error * error / 4;
      }
      return sum;
    };
    ExternalLoss external{value(x), std::vector<float>(48), {}, {{"extra", 2.5}}};
    for (size_t i = 0; i < 48; ++i) {
      std::vector<float> up = x, down = x;
      up[i] += 1e-3F;
      down[i] -= 1e-3F;
      external.embeddings[i] = static_cast<float>((value(up) - value(down)) / (static_cast<double>(up[i]) - down[i]));
    }
    const StepReport found = *custom.apply(external, options), expected = *native.step(batch, options);
    EXPECT_NEAR(found.loss, expected.loss, 1e-6);
    EXPECT_EQ(found.components.at("extra"), 2.5);
    const auto a = dump_weights<double>(custom, "grad."), b = dump_weights<double>(native, "grad.");
    for (const auto& [name, values] : b) {
      for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(a.at(name)[i], values[i], 1e-4) << name;
    }
  }
  expect_error("ERR_INVALID_ARGUMENT", "a call of embed before apply", [&] { custom.apply({}, kUpdate); });
  expect_error("ERR_INVALID_ARGUMENT", "through embed and apply", [&] { custom.step(batch, kUpdate); });
  expect_error("ERR_INVALID_ARGUMENT", "Only a loss of type Custom",
               [&] { native.embed(batch, nullptr, 48, kUpdate); });
}

TEST(CustomLoss, OwnsParametersThatAreUpdatedLikeAllOthers) {
  const Config::Object w = {{"shape", Config(Config::Array{Config(2.0), Config(3.0)})}};
  Trainer trainer(encoder_of(), spec_of(loss_of("Custom", {{"parameters", Config::Object{{"w", w}}}})));
  std::vector<float> x(8 * 6);
  trainer.embed(scored_batch(), x.data(), 48, kUpdate);
  ExternalLoss external{1, std::vector<float>(48, 0), {{"loss.w", {1, 2, 3, 4, 5, -6}}}, {}};
  const StepReport report = *trainer.apply(external, kUpdate);
  EXPECT_NEAR(report.grad_norm, std::sqrt(91.0), 1e-5);
  const auto after = dump_weights(trainer, "loss.");
  for (size_t i = 0; i < 6; ++i) EXPECT_NEAR(after.at("loss.w")[i], i == 5 ? 1e-2 : -1e-2, 1e-5);
  trainer.embed(scored_batch(), x.data(), 48, kUpdate);
  external.parameters = {{"loss.v", {1}}};
  expect_error("ERR_INVALID_TENSORS", "no tensor named loss.v", [&] { trainer.apply(external, kUpdate); });
}

}  // namespace

}  // namespace st::test
