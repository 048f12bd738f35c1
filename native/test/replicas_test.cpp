// One model trained by several ranks against one that sees whole batches.
#include <array>
#include <map>
#include <numeric>

#include "core/features.h"
#include "core/profile.h"
#include "engine/step_graph.h"
#include "ranks.h"
#include "recording.h"
#include "training.h"

namespace st::test {

namespace {

#if ST_HAVE_C10D

struct Outcome {
  double loss, norm;
  std::map<std::string, std::vector<double>> gradients, weights;
};

struct Case {
  Config loss;
  PackedBatch batch;
  bool gathers = false;
  StepOptions options = kGradientsOnly;
  Config::Object model = {};  // changes of its config
  double width = 12;          // of its embeddings
  int64_t accumulated = 1;    // batches to a step: the same one again
  bool queued = false;        // a GPU's kind of step, on the CPU
  bool scales = false;        // the losses, as in float16
  bool vectors = false;       // one for each token
};

std::shared_ptr<Encoder> encoder_for(const Case& c, const std::string& dtype) {
  Config::Object config{{"hidden_dropout_prob", 0.2}, {"attention_probs_dropout_prob", 0.2}};
  for (const auto& [key, value] : c.model) config[key] = value;
  const std::vector<Config> pooled = {pooling({"mean"}), dense(c.width, 6, "tanh")};
  const std::vector<Config> by_token = {token_dense(c.width, 6, false), token_mask({3}), token_normalize()};
  auto encoder = std::make_shared<Encoder>(tiny_bert(c.vectors ? by_token : pooled, dtype, config));
  load_weights(*encoder, random_weights(*encoder, 1));
  return encoder;
}

std::optional<StepReport> step(const Case& c, Trainer& trainer, const PackedBatch& batch, double rate) {
  StepOptions options = c.options;
  options.rates = {rate};
  for (int64_t i = 1; i < c.accumulated; ++i) trainer.step(batch, options);
  options.update = true;
  return trainer.step(batch, options);
}

// Loss and gradients of one batch, then the weights after three updates.
Outcome train(const Case& c, const PackedBatch& batch, const std::string& dtype,
              const std::shared_ptr<Collective>& ranks) {
  const auto trainer_of = [&] {
    const auto encoder = encoder_for(c, dtype);
    TrainerSpec spec = spec_of(c.loss);
    spec.losses[0].gathers = c.gathers;
    spec.ranks = ranks;
    spec.without_waiting = c.queued;
    spec.loss_scaler = c.scales;
    return std::make_pair(encoder, std::make_unique<Trainer>(encoder, spec));
  };
  Outcome out;
  {
    const auto [encoder, trainer] = trainer_of();
    // The sum of gradients is a part of an update: one that moves nothing keeps the first moments, a tenth of them.
    const auto report = step(c, *trainer, batch, 0);
    out.loss = report->loss;
    out.norm = report->grad_norm;
    out.gradients = dump_weights<double>(*trainer, "exp_avg.");
  }
  const auto [encoder, trainer] = trainer_of();
  for (int i = 0; i < 3; ++i) step(c, *trainer, batch, 1e-3);
  out.weights = dump_weights<double>(*encoder);
  return out;
}

double difference(const std::map<std::string, std::vector<double>>& a,
                  const std::map<std::string, std::vector<double>>& b) {
  double largest = 0, scale = 0;
  EXPECT_EQ(a.size(), b.size());
  for (const auto& [name, values] : a) {
    for (size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::abs(values[i] - b.at(name)[i]));
      scale = std::max(scale, std::abs(values[i]));
    }
  }
  return largest / scale;
}

// A model some of whose layers are sent by themselves.
Case wide(Case c) {
  c.model = {{"hidden_size", 64.0}, {"num_attention_heads", 2.0}, {"num_hidden_layers", 5.0}};
  c.width = 64;
  return c;
}

std::vector<Case> cases() {
  PackedBatch pairs = batch_of({5, 1, 12, 3, 4, 2, 20, 1, 7, 7, 2, 9, 3, 3, 8, 6}, 11, 2, 2);
  PackedBatch scored = pairs, classified = pairs;
  scored.labels = std::vector<float>{1, 0.25, 0.5, 0, 0.75, 0.1, 0.9, 0.3};
  classified.labels = std::vector<int32_t>{2, 0, 1, 1, 0, 2, 2, 1};
  StepOptions chunked = kGradientsOnly;
  chunked.mini_batch_rows = 3;
  const Config ranking = loss_of("MultipleNegativesRankingLoss");
  const Config late = loss_of("MultiVector.MultiVectorMultipleNegativesRankingLoss", {{"scale", 5.0}});
  PackedBatch tokens = pairs;
  tokens.queries = {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  return {{loss_of("CosineSimilarityLoss"), scored},
          {loss_of("SoftmaxLoss", {{"numLabels", 3.0}}), classified},
          {loss_of("CosineSimilarityLoss"), scored, false, chunked},
          {ranking, pairs, true},
          {ranking, pairs, true, chunked},
          wide({ranking, pairs, true}),
          wide({.loss = ranking, .batch = pairs, .gathers = true, .options = chunked, .accumulated = 2}),
          {.loss = late, .batch = tokens, .gathers = true, .vectors = true},
          {.loss = late, .batch = tokens, .gathers = true, .options = chunked, .vectors = true}};
}

// A token table of which a batch reads a small part.
Case rare(Case c) {
  c.model["vocab_size"] = 100.0;
  return c;
}

// Several ranks make the update of one process with the whole batch: dropout on, clipping by the norm over all, the
// loss's parameters and rows of the token table that one rank alone has read.
TEST(Replicas, TrainAsOneProcessWithTheWholeBatch) {
  std::vector<Case> all = cases();
  for (Case c : cases()) {
    c.queued = true;
    all.push_back(c);
    all.push_back(rare(c));
    c.scales = true;
    all.push_back(c);
  }
  for (const Case& c : all) {
    for (const std::string& dtype : {std::string("float64"), std::string("float32")}) {
      if (c.queued && dtype == "float32") continue;
      SCOPED_TRACE(c.loss.string("type") + " " + dtype + (c.gathers ? ", gathered" : "") +
                   (c.queued ? ", queued" : "") + (c.scales ? ", scaled" : ""));
      const double near = dtype == "float64" ? 1e-12 : 1e-5;
      const Threads one(1);
      const Outcome whole = train(c, c.batch, dtype, nullptr);
      ASSERT_GT(whole.norm, 1e-3);
      for (const int64_t size : {2, 4}) {
        std::vector<Outcome> found(static_cast<size_t>(size));
        with_ranks(size, [&](const std::shared_ptr<Collective>& ranks) {
          found[static_cast<size_t>(ranks->rank())] = train(c, part_of(c.batch, ranks->rank(), size), dtype, ranks);
        });
        EXPECT_NEAR(found[0].loss, whole.loss, near * std::abs(whole.loss));
        EXPECT_NEAR(found[0].norm, whole.norm, near * whole.norm);
        EXPECT_LT(difference(found[0].gradients, whole.gradients), near);
        for (const Outcome& other : found) {
          EXPECT_EQ(other.loss, found[0].loss);
          EXPECT_EQ(other.gradients, found[0].gradients) << "the same bits on all ranks";
          EXPECT_EQ(other.weights, found[0].weights) << "the same bits on all ranks";
        }
      }
    }
  }
}

// Without it, ranks with equal losses at every batch would be the same as ranks whose losses see one another.
TEST(Replicas, NegativesOfOtherRanksCount) {
  Case c = cases()[3];
  const auto loss_with = [&](bool gathers) {
    c.gathers = gathers;
    double loss = 0;
    with_ranks(2, [&](const std::shared_ptr<Collective>& ranks) {
      const double found = train(c, part_of(c.batch, ranks->rank(), 2), "float32", ranks).loss;
      if (ranks->rank() == 0) loss = found;
    });
    return loss;
  };
  EXPECT_GT(std::abs(loss_with(true) - loss_with(false)), 0.05);
}

int64_t calls(const Profile& profile, const std::string& name) {
  int64_t out = 0;
  for (const Profile::Part& part : profile.parts) out += part.name == name ? part.calls : 0;
  return out;
}

TEST(Replicas, AllColumnsPassTheEncoderAtOnceAndTheLastBatchOfAStepSendsLayersEarly) {
  Case c = wide(cases()[3]);
  c.accumulated = 3;
  ASSERT_TRUE(profile_start());
  with_ranks(2, [&](const std::shared_ptr<Collective>& ranks) {
    TrainerSpec spec = spec_of(c.loss);
    spec.losses[0].gathers = true;
    spec.ranks = ranks;
    Trainer trainer(encoder_for(c, "float32"), spec);
    step(c, trainer, part_of(c.batch, ranks->rank(), 2), 1e-3);
  });
  const Profile profile = profile_stop();
  EXPECT_EQ(calls(profile, "attention"), 2 * 3 * 5);
  EXPECT_EQ(calls(profile, "communication, begun"), 2 * 3) << "two, two and one of five layers";
}

TEST(Replicas, OnADeviceFewRowsOfTheTokenTableAreSentAlone) {
  for (const bool is_rare : {false, true}) {
    Case c = is_rare ? rare(cases()[0]) : cases()[0];
    ASSERT_TRUE(profile_start());
    with_ranks(2, [&](const std::shared_ptr<Collective>& ranks) {
      TrainerSpec spec = spec_of(c.loss);
      spec.ranks = ranks;
      spec.without_waiting = true;
      Trainer trainer(encoder_for(c, "float32"), spec);
      step(c, trainer, part_of(c.batch, ranks->rank(), 2), 1e-3);
    });
    EXPECT_EQ(calls(profile_stop(), "rows of the token table"), is_rare ? 2 : 0);
  }
}

// A process alone whose device may have lost others.
struct LoneRanks final : Collective {
  struct Done final : Sum {
    std::optional<Clock::time_point> wait() override { return std::nullopt; }
  };
  LoneRanks() : Collective(nullptr, 0, 1) {}
  std::unique_ptr<Sum> begin_all_reduce(at::Tensor) override { return std::make_unique<Done>(); }
  at::Tensor all_gather(const at::Tensor& own) override { return own.unsqueeze(0); }
  void broadcast(at::Tensor, int64_t) override {}
  void barrier() override {}
  void settle() override { check(!is_lost, "ERR_DISTRIBUTED", "Rank 1 is lost"); }
  void leave(const std::string&) override {}
  bool is_lost = false;
};

// Sums that were given up leave anything in the weights: nobody gets to see them.
TEST(Replicas, NobodyReadsWhatADeviceMadeWithoutTheOthers) {
  const auto ranks = std::make_shared<LoneRanks>();
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.ranks = ranks;
  spec.without_waiting = true;
  const auto encoder = encoder_of();
  Trainer trainer(encoder, spec);
  trainer.step(scored_batch(), kUpdate);
  dump_weights(*encoder);
  ranks->is_lost = true;
  EXPECT_FALSE(trainer.step(scored_batch(), {.rates = {1e-2}}).has_value()) << "the host does not wait";
  const auto is_refused = [](const auto& read) { expect_error("ERR_DISTRIBUTED", "Rank 1 is lost", read); };
  is_refused([&] { dump_weights(*encoder); });
  is_refused([&] { dump_weights(trainer, "exp_avg."); });
  is_refused([&] { trainer.step(scored_batch(), kUpdate); });
  is_refused([&] { trainer.evaluate(scored_batch()); });
  is_refused([&] { trainer.counters(); });
  trainer.dispose();
  dump_weights(*encoder);
}

TEST(Replicas, OnADeviceRequestsBringAReport) {
  const auto ranks = std::make_shared<LoneRanks>();
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.ranks = ranks;
  spec.without_waiting = true;
  Trainer trainer(encoder_of(), spec);
  EXPECT_FALSE(trainer.step(scored_batch(), {.rates = {1e-2}, .requests = {0, 0}}).has_value());
  const auto report = trainer.step(scored_batch(), {.rates = {1e-2}, .requests = {0, 1}});
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->requests, (std::vector<double>{0, 1}));
  EXPECT_EQ(report->batches, 2);
}

// A recording has one order of sums, which those of other ranks would have to share.
TEST(Replicas, StepsAreNotRecorded) {
  TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  spec.ranks = std::make_shared<LoneRanks>();
  RecordingLog log;
  spec.graphs =
      std::make_shared<StepGraphs>(at::kCPU, std::make_unique<KeepingRecorder>(log), std::make_unique<PlainUploader>());
  Trainer trainer(encoder_of(), spec);
  std::optional<StepReport> report;
  for (int i = 0; i < 4; ++i) report = trainer.step(scored_batch(), kUpdate);
  EXPECT_EQ(report->graphs, (std::map<std::string, int64_t>{{"eager: several processes", 4}}));
  EXPECT_EQ(log.warm_ups, 0);
}

TEST(Replicas, StopWhereWeightsDiffer) {
  const int64_t port = free_port();
  const auto failures = in_threads(2, [&](int64_t rank) {
    const auto ranks = Collective::join(member(rank, 2, port));
    TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
    spec.ranks = ranks;
    const auto encoder = encoder_of();
    load_weights(*encoder, random_weights(*encoder, rank == 1 ? 7 : 1));
    Trainer trainer(encoder, spec);
    trainer.step(part_of(scored_batch(), rank, 2), kUpdate);
  });
  for (const std::string& failure : failures) {
    EXPECT_EQ(failure,
              "ERR_DISTRIBUTED: The weights of rank 1 differ from those of rank 0 before the first step: all ranks "
              "have to begin with the same model");
  }
}

TEST(Replicas, TakeTheWeightsOfRankZeroAndSumRequests) {
  with_ranks(2, [&](const std::shared_ptr<Collective>& ranks) {
    TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
    spec.ranks = ranks;
    const auto encoder = encoder_of();
    Weights weights = random_weights(*encoder, 1);
    load_weights(*encoder, random_weights(*encoder, ranks->rank() == 1 ? 7 : 1));
    Trainer trainer(encoder, spec);
    trainer.copy_weights();
    EXPECT_EQ(dump_weights(*encoder), weights);
    StepOptions options = kUpdate;
    options.requests = {1, ranks->rank() == 1 ? 5.0 : 0.0};
    const auto report = trainer.step(part_of(scored_batch(), ranks->rank(), 2), options);
    EXPECT_EQ(report->requests, (std::vector<double>{2, 5}));
    EXPECT_EQ(report->tokens, scored_batch().tokens());
  });
}

TEST(Replicas, GatherNothingButEmbeddings) {
  with_ranks(2, [&](const std::shared_ptr<Collective>& ranks) {
    TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
    spec.ranks = ranks;
    spec.losses[0].gathers = true;
    Trainer trainer(encoder_of(), spec);
    expect_error("ERR_NOT_IMPLEMENTED", "labels",
                 [&] { trainer.step(part_of(scored_batch(), ranks->rank(), 2), kUpdate); });
  });
}

#endif

}  // namespace

}  // namespace st::test
