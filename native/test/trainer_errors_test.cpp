// The trainer through the engine's public headers: what it refuses, and its life.
#include "engine/encoder_impl.h"
#include "training.h"

namespace st::test {

namespace {

TEST(Trainer, LabelsThatDoNotFitAreRefusedAndLeaveNoTrace) {
  Trainer trainer(encoder_of("float32", no_dropout()), spec_of(loss_of("SoftmaxLoss", {{"numLabels", 3.0}})));
  const auto refused = [&](const char* code, const std::string& message,
                           const std::function<void(PackedBatch&)>& spoil) {
    PackedBatch batch = classified_batch();
    spoil(batch);
    expect_error(code, message, [&] { trainer.step(batch, kUpdate); });
    expect_error(code, message, [&] { trainer.evaluate(batch); });
  };
  const double loss = trainer.evaluate(classified_batch()).loss;
  constexpr const char *kInvalid = "ERR_INVALID_ARGUMENT", *kData = "ERR_INVALID_DATA";
  refused(kData, "the batch has none", [](PackedBatch& b) { b.labels = std::monostate(); });
  refused(kData, "needs integer labels", [](PackedBatch& b) { b.labels = std::vector<float>{0, 1, 2, 0}; });
  refused(kData, "needs 4 labels, one for each row, but found 3",
          [](PackedBatch& b) { b.labels = std::vector<int32_t>{0, 1, 2}; });
  refused(kData, "labels from 0 to 2, but found 3",
          [](PackedBatch& b) { b.labels = std::vector<int32_t>{0, 1, 2, 3}; });
  refused(kData, "but found -1", [](PackedBatch& b) { b.labels = std::vector<int32_t>{0, 1, -1, 0}; });
  refused(kData, "needs 4 labels", [](PackedBatch& b) { b.label_shape = {2, 2}; });
  refused(kInvalid, "Expected 8 labels for labelShape but found 4", [](PackedBatch& b) { b.label_shape = {4, 2}; });
  refused(kData, "takes 2 text columns but the batch has 1", [](PackedBatch& b) { b.columns = 1; });
  refused(kInvalid, "that 3 columns divide", [](PackedBatch& b) { b.columns = 3; });
  refused(kInvalid, "token ids from 0 to 10", [](PackedBatch& b) { b.ids[0] = 99; });
  EXPECT_EQ(trainer.evaluate(classified_batch()).loss, loss);
  EXPECT_EQ(largest(dump_weights(trainer, "grad.")), 0);
  const StepReport report = *trainer.step(classified_batch(), kUpdate);
  EXPECT_EQ(report.batches, 1);
  EXPECT_NEAR(report.loss, loss, 1e-6);
}

TEST(Trainer, OneTrainerAtATimeOnAnEncoder) {
  auto encoder = encoder_of();
  const TrainerSpec spec = spec_of(loss_of("CoSENTLoss"));
  {
    Trainer first(encoder, spec);
    expect_error("ERR_BUSY", "already being trained", [&] { Trainer second(encoder, spec); });
    first.dispose();
    Trainer third(encoder, spec);
    first.dispose();  // must not free the encoder that the third holds
    expect_error("ERR_BUSY", "already being trained", [&] { Trainer fourth(encoder, spec); });
  }
  expect_error("ERR_NOT_IMPLEMENTED", "Loss NoLoss", [&] { Trainer bad(encoder, spec_of(loss_of("NoLoss"))); });
  Trainer last(encoder, spec);  // neither the destructor of the third nor the failure left it taken
  EXPECT_TRUE(last.step(scored_batch(), kUpdate).has_value());
}

TEST(Trainer, PrecisionIsThatOfTheTrainerWhileItLives) {
  auto encoder = encoder_of();
  Network& network = encoder->impl().network;
  TrainerSpec spec = spec_of(loss_of("CoSENTLoss"));
  spec.precision = "bfloat16";
  {
    Trainer trainer(encoder, spec);
    trainer.step(scored_batch(), kUpdate);
    EXPECT_EQ(network.compute(), at::kBFloat16);
    EXPECT_EQ(network.parameters().value(0).scalar_type(), at::kBFloat16);
    expect_close(network.parameters().value(0), network.parameters().master(0), 4e-3, "the updated weights in bf16");
  }
  EXPECT_EQ(network.compute(), at::kFloat);
  EXPECT_TRUE(network.parameters().value(0).is_alias_of(network.parameters().master(0)));
  spec.precision = "float8";
  expect_error("ERR_INVALID_ARGUMENT", "received float8", [&] { Trainer trainer(encoder, spec); });
  spec.precision = "bfloat16";
  expect_error("ERR_INVALID_ARGUMENT", "float64 encoder cannot train in bfloat16",
               [&] { Trainer trainer(encoder_of("float64"), spec); });
  spec.precision = "float32";
  EXPECT_NO_THROW(Trainer(encoder, spec));  // neither failure left it taken
}

TEST(Trainer, DisposeTwiceAndUseAfterwards) {
  auto encoder = encoder_of();
  Trainer trainer(encoder, spec_of(loss_of("CoSENTLoss")));
  trainer.step(scored_batch(), kUpdate);
  trainer.dispose();
  trainer.dispose();
  expect_error("ERR_DISPOSED", "trainer was disposed", [&] { trainer.step(scored_batch(), kUpdate); });
  expect_error("ERR_DISPOSED", "trainer was disposed", [&] { trainer.evaluate(scored_batch()); });
  expect_error("ERR_DISPOSED", "trainer was disposed", [&] { dump_weights(trainer); });
  EXPECT_NO_THROW(dump_weights(*encoder));  // the encoder lives on
}

TEST(Trainer, AnEncoderThatIsDisposedEndsItsTraining) {
  auto encoder = encoder_of();
  Trainer trainer(encoder, spec_of(loss_of("CoSENTLoss")));
  trainer.step(scored_batch(), kUpdate);
  encoder->dispose();
  expect_error("ERR_DISPOSED", "encoder was disposed", [&] { trainer.step(scored_batch(), kUpdate); });
  expect_error("ERR_DISPOSED", "encoder was disposed", [&] { trainer.evaluate(scored_batch()); });
  EXPECT_NO_THROW(trainer.dispose());
  expect_error("ERR_DISPOSED", "encoder was disposed", [&] { Trainer other(encoder, spec_of(loss_of("CoSENTLoss"))); });
}

TEST(Trainer, TensorsThatItDoesNotHaveAreRefused) {
  Trainer trainer(encoder_of(), spec_of(loss_of("CoSENTLoss")));
  for (const char* name : {"grad.nothing", "loss.classifier.weight", "exp_avg.loss.classifier.weight", "nothing"}) {
    float value = 1;
    const std::vector<TensorRange> range = {{name, 0, "F32", &value, 4}};
    expect_error("ERR_INVALID_TENSORS", "There is no tensor named", [&] { trainer.load(range); });
    expect_error("ERR_INVALID_TENSORS", "There is no tensor named", [&] { trainer.dump(range); });
  }
}

}  // namespace

}  // namespace st::test
