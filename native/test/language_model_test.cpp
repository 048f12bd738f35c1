// Losses that predict tokens, through the trainer: gradients of everything against differences of the value.
#include <cmath>

#include "training.h"

namespace st::test {

namespace {

Config::Object bert_config(const Config::Object& changes) {
  return tiny_bert({pooling({"mean"})}, "float64", changes).config.object();
}

std::shared_ptr<Encoder> encoder() {
  auto out = std::make_shared<Encoder>(tiny_bert({pooling({"mean"})}, "float64", no_dropout()));
  load_weights(*out, random_weights(*out, 1));
  return out;
}

PackedBatch denoising_batch() {
  PackedBatch batch = batch_of({5, 1, 7}, 11);
  batch.target_ids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 3, 10};
  batch.target_offsets = {0, 4, 6, 11};
  return batch;
}

PackedBatch masked_batch() {
  PackedBatch batch = batch_of({5, 1, 7}, 11);
  for (int i = 0; i < 13; ++i) batch.target_ids.push_back(i % 3 == 0 ? i % 11 : -100);
  batch.target_offsets = batch.offsets;
  return batch;
}

void check_gradients(const Config& loss, const PackedBatch& batch) {
  SCOPED_TRACE(loss.string("type"));
  Trainer trainer(encoder(), spec_of(loss));
  load_weights(trainer, [&] {
    Weights own;
    for (const auto& [name, values] : random_weights(trainer, 5)) {
      if (name.rfind("loss.", 0) == 0) own[name] = values;
    }
    return own;
  }());
  EXPECT_NEAR(trainer.step(batch, kGradientsOnly)->loss, trainer.evaluate(batch).loss, 1e-12);
  const auto gradients = dump_weights<double>(trainer, "grad.");
  double greatest = 0;
  for (const auto& [name, values] : gradients) {
    for (double value : values) greatest = std::max(greatest, std::abs(value));
  }
  ASSERT_GT(greatest, 1e-4);
  const Threads one(1);
  for (const auto& [tensor, values] : gradients) {
    const std::string weight = tensor.substr(5);
    for (size_t i = 0; i < values.size(); i += 1 + values.size() / 2) {
      const auto at = [&](double shift) {
        double value = 0;
        const std::vector<TensorRange> range = {{weight, static_cast<int64_t>(i), "F64", &value, 8}};
        trainer.dump(range);
        const double before = value;
        value += shift;
        trainer.load(range);
        const double out = trainer.evaluate(batch).loss;
        value = before;
        trainer.load(range);
        return out;
      };
      EXPECT_NEAR(values[i], (at(1e-6) - at(-1e-6)) / 2e-6, 1e-6 * greatest + 1e-9) << tensor << " " << i;
    }
  }
}

// No token is [PAD] (0), whose embedding is left out of the gradients on purpose.
TEST(Differences, DenoisingAutoEncoder) {
  for (const bool tied : {true, false}) {
    check_gradients(
        loss_of("DenoisingAutoEncoderLoss", {{"config", bert_config(no_dropout())}, {"tieEncoderDecoder", tied}}),
        denoising_batch());
  }
  check_gradients(
      loss_of("DenoisingAutoEncoderLoss", {{"config", bert_config(no_dropout())}, {"tieWordEmbeddings", false}}),
      denoising_batch());
}

TEST(Differences, MaskedLanguageModel) {
  for (const bool tied : {true, false}) {
    check_gradients(
        loss_of("MaskedLanguageModelLoss", {{"config", bert_config(no_dropout())}, {"tieWordEmbeddings", tied}}),
        masked_batch());
  }
}

TEST(LanguageModels, DropoutIsAFunctionOfTheStep) {
  const Config loss = loss_of("DenoisingAutoEncoderLoss", {{"config", bert_config({})}});
  const auto values = [&] {
    Trainer trainer(encoder(), spec_of(loss));
    StepOptions still = kUpdate;
    still.rates = {0};
    std::vector<double> out;
    for (int i = 0; i < 3; ++i) out.push_back(trainer.step(denoising_batch(), still)->loss);
    return out;
  };
  const std::vector<double> first = values();
  EXPECT_EQ(first, values());
  EXPECT_NE(first[0], first[1]);
  EXPECT_NE(first[1], first[2]);
}

TEST(LanguageModels, BatchesThatDoNotFitAreRefused) {
  const auto refused = [](const std::string& type, const std::string& message, const PackedBatch& batch) {
    Trainer trainer(encoder(), spec_of(loss_of(type, {{"config", bert_config({})}})));
    expect_error("ERR_INVALID_DATA", message, [&] { trainer.step(batch, kUpdate); });
  };
  refused("DenoisingAutoEncoderLoss", "needs 3 original texts but found 0", batch_of({5, 1, 7}, 11));
  refused("DenoisingAutoEncoderLoss", "needs 3 original texts but found 1", [] {
    PackedBatch batch = denoising_batch();
    batch.target_offsets = {0, 11};
    return batch;
  }());
  refused("MaskedLanguageModelLoss", "a target for each of 13 tokens but found 0", batch_of({5, 1, 7}, 11));
  PackedBatch nothing = masked_batch();
  std::fill(nothing.target_ids.begin(), nothing.target_ids.end(), -100);
  Trainer trainer(encoder(), spec_of(loss_of("MaskedLanguageModelLoss", {{"config", bert_config({})}})));
  EXPECT_EQ(trainer.step(nothing, kUpdate)->loss, 0);
}

}  // namespace

}  // namespace st::test
