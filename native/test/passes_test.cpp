// A step in two halves, and all that may come between them.
#include <functional>
#include <memory>
#include <vector>

#include "engine/encoder_impl.h"
#include "training.h"

namespace st::test {

namespace {

constexpr int64_t kRows = 8, kWidth = 6;
const StepOptions kOfRanking{.rates = {1e-2}, .report = true, .loss = 1};

// Longer rows than those of a training batch, so that other memory is needed.
std::vector<float> vectors_of(Encoder& encoder) {
  const PackedBatch batch = batch_of({40, 3, 38, 40, 1, 27}, 11);
  std::vector<float> out(static_cast<size_t>(batch.rows() * kWidth));
  encoder.encode(batch, EncoderOutput::kSentenceEmbedding, out.data(), static_cast<int64_t>(out.size()));
  return out;
}

// How the passes of a training are made.
struct Way {
  const char* name;
  bool checkpointing = false;
  int64_t rows = 0;  // of a chunk
  const char* precision = "";
};
constexpr Way kWays[] = {
    {"plain"}, {"checkpointing", true}, {"chunks", false, 3}, {"both", true, 3}, {"bfloat16", false, 0, "bfloat16"}};

struct Trained {
  std::shared_ptr<Encoder> encoder = encoder_of();
  std::unique_ptr<Trainer> trainer;
};

// Three steps of a loss that is half the sum of squares of the embeddings, whose gradient is the embeddings; `between`
// comes between the halves of each. The second loss of the trainer is one of the engine's that reads all layers.
Trained train(const Way& way, const std::function<void(Trained&)>& between) {
  Trained out;
  TrainerSpec spec = spec_of({});
  const Config inner = loss_of("MultipleNegativesRankingLoss");
  spec.losses = {{"own", loss_of("Custom", {{"parameters", Config::Object{}}})},
                 {"layers", loss_of("AdaptiveLayerLoss", {{"loss", inner}})}};
  spec.activation_checkpointing = way.checkpointing;
  spec.precision = way.precision;
  out.trainer = std::make_unique<Trainer>(out.encoder, spec);
  StepOptions options = kUpdate;
  options.mini_batch_rows = way.rows;
  for (int step = 0; step < 3; ++step) {
    ExternalLoss external{1, std::vector<float>(kRows * kWidth), {}, {}};
    out.trainer->embed(scored_batch(), external.embeddings.data(), kRows * kWidth, options);
    between(out);
    out.trainer->apply(external, options);
  }
  return out;
}

void expect_equal(Trained& found, Trained& expected) {
  EXPECT_EQ(dump_weights(*found.encoder), dump_weights(*expected.encoder));
  EXPECT_EQ(dump_weights(*found.trainer, "exp_avg"), dump_weights(*expected.trainer, "exp_avg"));
}

TEST(BetweenTwoHalves, EncodingGivesTheVectorsOfTheWeightsAndChangesNothing) {
  for (const Way& way : kWays) {
    SCOPED_TRACE(way.name);
    Trained plain = train(way, [](Trained&) {});
    std::vector<std::vector<float>> before, between;
    Trained found = train(way, [&](Trained& at) { between.push_back(vectors_of(*at.encoder)); });
    expect_equal(found, plain);
    // The vectors of the same weights in a model that nobody is training.
    Trained watched = train(way, [&](Trained& at) {
      auto still = encoder_of(*way.precision == '\0' ? "float32" : way.precision);
      load_weights(*still, dump_weights(*at.encoder));
      before.push_back(vectors_of(*still));
    });
    expect_equal(watched, plain);
    EXPECT_EQ(between, before);
    EXPECT_NE(between[0], between[2]);
  }
}

TEST(BetweenTwoHalves, OtherPassesChangeNothing) {
  const std::vector<std::pair<const char*, std::function<void(Trained&)>>> works = {
      {"evaluation", [](Trained& at) { at.trainer->evaluate(scored_batch(), 1); }},
      {"evaluation of a longer batch",
       [](Trained& at) { at.trainer->evaluate(batch_of(std::vector<int>(64, 40), 11, 2, 2), 1); }},
      {"weights that are read", [](Trained& at) { dump_weights(*at.encoder); }},
      {"all tensors of the trainer", [](Trained& at) { dump_weights(*at.trainer); }},
      {"loads, which are refused",
       [](Trained& at) {
         expect_error("ERR_BUSY", "between the two halves",
                      [&] { load_weights(*at.encoder, dump_weights(*at.encoder)); });
         expect_error("ERR_BUSY", "between the two halves",
                      [&] { load_weights(*at.trainer, dump_weights(*at.trainer)); });
       }},
      {"counters", [](Trained& at) { at.trainer->set_counters(at.trainer->counters()); }},
      {"the error of another call",
       [](Trained& at) {
         expect_error("ERR_INVALID_ARGUMENT", "found 11 at token 0", [&] {
           PackedBatch batch = scored_batch();
           batch.ids[0] = 11;
           at.trainer->evaluate(batch, 1);
         });
       }},
      {"a second embed, which takes the first one's place",
       [](Trained& at) {
         std::vector<float> out(kRows * kWidth);
         at.trainer->embed(scored_batch(), out.data(), kRows * kWidth, kUpdate);
       }},
  };
  for (const Way& way : {kWays[0], kWays[1]}) {
    Trained plain = train(way, [](Trained&) {});
    for (const auto& [name, work] : works) {
      SCOPED_TRACE(std::string(way.name) + ", " + name);
      Trained found = train(way, work);
      expect_equal(found, plain);
    }
  }
}

TEST(BetweenTwoHalves, AnEvaluationGivesWhatItGivesAtOtherTimes) {
  std::vector<double> between, alone;
  train(kWays[0], [&](Trained& at) { between.push_back(at.trainer->evaluate(scored_batch(), 1).loss); });
  train(kWays[0], [&](Trained& at) {
    auto still = encoder_of();
    load_weights(*still, dump_weights(*at.encoder));
    const Config inner = loss_of("MultipleNegativesRankingLoss");
    Trainer trainer(still, spec_of(loss_of("AdaptiveLayerLoss", {{"loss", inner}})));
    // What the loss draws depends on the step.
    trainer.set_counters({static_cast<int64_t>(alone.size()), 0, 0});
    alone.push_back(trainer.evaluate(scored_batch()).loss);
  });
  EXPECT_EQ(between, alone);
}

TEST(BetweenTwoHalves, AStepDropsTheFirstHalf) {
  auto encoder = encoder_of();
  TrainerSpec spec = spec_of({});
  spec.losses = {{"own", loss_of("Custom", {{"parameters", Config::Object{}}})}, {"other", loss_of("CoSENTLoss")}};
  Trainer trainer(encoder, spec);
  ExternalLoss external{1, std::vector<float>(kRows * kWidth), {}, {}};
  trainer.embed(scored_batch(), external.embeddings.data(), kRows * kWidth, kUpdate);
  trainer.step(scored_batch(), kOfRanking);
  expect_error("ERR_INVALID_ARGUMENT", "a call of embed before apply", [&] { trainer.apply(external, kUpdate); });
}

TEST(BetweenTwoHalves, TheEncoderOrTheTrainerMayGo) {
  std::vector<float> out(kRows * kWidth);
  for (const bool encoder_first : {true, false}) {
    auto encoder = encoder_of();
    Trainer trainer(encoder, spec_of(loss_of("Custom", {{"parameters", Config::Object{}}})));
    trainer.embed(scored_batch(), out.data(), kRows * kWidth, kUpdate);
    if (encoder_first) encoder->dispose();
    trainer.dispose();
    expect_error("ERR_DISPOSED", "disposed", [&] { trainer.apply({1, out, {}, {}}, kUpdate); });
    if (encoder_first) {
      EXPECT_EQ(encoder->impl().network.workspace().bytes(), 0);
    } else {
      EXPECT_NO_THROW(vectors_of(*encoder));
    }
  }
}

// Two losses: what one pass took is given back, and the next one makes none of its own.
TEST(MemoryOfPasses, IsMadeOnce) {
  auto encoder = encoder_of();
  Trainer trainer(encoder, spec_of(loss_of("CoSENTLoss")));
  trainer.step(scored_batch(), kUpdate);
  const int64_t bytes = encoder->impl().network.workspace().bytes();
  EXPECT_GT(bytes, 0);
  for (int step = 0; step < 5; ++step) {
    trainer.step(scored_batch(), kUpdate);
    vectors_of(*encoder);
    trainer.evaluate(scored_batch());
  }
  EXPECT_EQ(encoder->impl().network.workspace().bytes(), bytes);
}

TEST(MemoryOfPasses, EncodingBetweenTheBatchesOfAStepPacksTheWeightsOnce) {
  auto encoder = std::make_shared<Encoder>(
      tiny_bert({pooling({"mean"})}, "float32",
                {{"hidden_size", 128.0}, {"num_attention_heads", 4.0}, {"intermediate_size", 256.0}}));
  load_weights(*encoder, random_weights(*encoder, 1));
  Trainer trainer(encoder, spec_of(loss_of("CoSENTLoss")));
  const PackedBatch batch = batch_of(std::vector<int>(16, 32), 11);
  std::vector<float> out(16 * 128);
  std::vector<int64_t> bytes;
  for (int i = 0; i < 300; ++i) {
    trainer.step(scored_batch(), kGradientsOnly);
    encoder->encode(batch, EncoderOutput::kSentenceEmbedding, out.data(), 16 * 128);
    bytes.push_back(encoder->impl().network.parameters().derived_bytes());
  }
  EXPECT_EQ(bytes.front(), bytes.back());
}

}  // namespace

}  // namespace st::test
