// Adapters: gradients against central differences, and encoding with the weights that they make.
#include <ATen/ops/cat.h>
#include <c10/util/accumulate.h>

#include "engine/training_pass.h"
#include "training.h"

namespace st::test {

namespace {

const std::string kLayer = "0.encoder.layer.";

// On parts of a fused matrix, with ranks of their own, and on every kind of layer.
AdapterSpec adapter_of(const std::string& name, double dropout) {
  const std::string first = kLayer + "0.", second = kLayer + "1.";
  return {name,
          dropout,
          false,
          {{second + "attention.self.value.weight", 3, 4},
           {first + "attention.self.value.weight", 2, 4},
           {first + "attention.self.query.weight", 3, 8},
           {first + "attention.output.dense.weight", 2, 2},
           {first + "intermediate.dense.weight", 2, 6},
           {first + "output.dense.weight", 1, 3},
           {second + "output.dense.weight", 2, 3}}};
}

void fill(Network& network, at::ScalarType type) {
  Parameters& parameters = network.parameters();
  uint64_t seed = 0;
  for (const TensorInfo& info : parameters.layout.tensors()) {
    parameters.stored(info).copy_(random_tensor(info.shape, type, ++seed, 0.7));
  }
  parameters.refresh();
}

void check_adapter(const EncoderSpec& spec, const AdapterSpec& adapter, const PackedBatch& batch,
                   const Network::Wanted& wanted = {}) {
  Network network(spec);
  network.add_adapter(adapter, 1);
  fill(network, at::kDouble);
  Parameters& parameters = network.parameters();
  const Input input(batch, at::kCPU);
  const DropoutKey key(1, 2, 3);
  const at::Tensor w = random_tensor({batch.rows(), network.embedding_width()}, at::kDouble, 2);
  TrainingPass pass(network);
  const auto value = [&] { return (pass.forward(input, key, wanted).embeddings_RD * w).sum().item<double>(); };
  value();
  Gradients gradients(parameters);
  pass.backward(input, key, {w, {}, {}}, gradients);
  for (const TensorInfo& info : parameters.layout.tensors(true)) {
    const at::Tensor gradient = parameters.layout.named_view(gradients.flat(), info);
    expect_gradient(value, parameters.stored(info), gradient, info.name);
    EXPECT_GT(gradient.abs().max().item<double>(), 0) << info.name;
  }
}

TEST(Differences, Adapter) {
  const EncoderSpec spec = tiny_bert({pooling({"mean"}), dense(12, 5, "tanh")}, "float64");
  const PackedBatch batch = batch_of({1, 6, 3}, 11, 2);
  for (const double dropout : {0.0, 0.3}) {
    check_adapter(spec, adapter_of("a", dropout), batch);
    check_adapter(spec, adapter_of("a", dropout), batch, {.recompute = true});
  }
  AdapterSpec stabilized = adapter_of("b", 0);
  stabilized.rank_stabilized = true;
  check_adapter(spec, stabilized, batch);
}

TEST(Differences, AdapterOfAClassifier) {
  const Config::Object head = {{"type", text("SequenceClassification")}, {"numLabels", 3.0}};
  AdapterSpec adapter{"a", 0.2, false, {{"0.pooler.dense.weight", 2, 4}, {"0.classifier.weight", 2, 4}}};
  check_adapter(tiny_bert({head}, "float64"), adapter, batch_of({1, 6, 3}, 11, 2));
}

// The numbers of trained parameters and of gradients.
TEST(Adapter, FreezesTheTransformer) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    auto encoder = encoder_of(dtype);
    encoder->add_adapter(adapter_of("a", 0), 1);
    for (const TensorInfo& info : encoder->tensors()) {
      EXPECT_EQ(info.group, info.name[0] != '0' ? info.group
                            : dtype[0] == 'b' && (info.linear || info.name == "0.embeddings.word_embeddings.weight")
                                ? Group::kHalved
                                : Group::kFrozen)
          << info.name;
    }
    Trainer trainer(encoder, spec_of(loss_of("CosineSimilarityLoss")));
    const Weights before = dump_weights(*encoder);
    for (int i = 0; i < 3; ++i) trainer.step(scored_batch(), kUpdate);
    for (const auto& [name, values] : dump_weights(*encoder)) {
      EXPECT_EQ(values == before.at(name), name[0] == '0') << name;
    }
    size_t gradients = 0;
    for (const TensorInfo& info : trainer.tensors()) gradients += info.name.rfind("grad.", 0) == 0;
    EXPECT_EQ(gradients, 7 * 2 + 2U);
    expect_error("ERR_BUSY", "while a trainer", [&] { encoder->set_adapter(""); });
  }
}

// Of layers that rest less is kept, and of an adapter what A makes of their inputs.
TEST(Adapter, SaysHowMuchATrainingPassKeeps) {
  const PackedBatch batch = batch_of(std::vector<int>(2000, 20), 11);
  const Input input(batch, at::kCPU);
  const auto rests = [](const std::string& name) { return name.starts_with("0."); };
  for (const bool recompute : {false, true}) {
    Network whole(tiny_bert({pooling({"mean"})})), adapted(tiny_bert({pooling({"mean"})}));
    adapted.add_adapter(adapter_of("a", 0), 1);
    TrainingPass(adapted).forward(input, {}, {.recompute = recompute});
    const double said = static_cast<double>(adapted.kept_per_token(recompute, at::kFloat)),
                 found = static_cast<double>(adapted.workspace().bytes()) / 40000;
    EXPECT_GT(said, 0.7 * found) << recompute;
    EXPECT_LT(said, 1.3 * found) << recompute;
    const int64_t resting = whole.kept_per_token(recompute, at::kFloat, rests);
    EXPECT_LT(resting, whole.kept_per_token(recompute, at::kFloat)) << recompute;
    EXPECT_GT(said, static_cast<double>(resting)) << recompute;
    adapted.set_adapter("");
    EXPECT_EQ(adapted.kept_per_token(recompute, at::kFloat), resting) << recompute;
  }
}

// The base is in bfloat16 alone, so that no masters are made.
TEST(Adapter, SaysHowMuchMemoryItsTrainingTakes) {
  auto encoder = encoder_of("bfloat16");
  const TrainerSpec spec = spec_of(loss_of("CosineSimilarityLoss"));
  const int64_t whole = Trainer(encoder, spec).memory(2, 3).fixed;
  encoder->add_adapter(adapter_of("a", 0), 1);
  const Trainer trainer(encoder, spec);
  int64_t trained = 0;
  for (const TensorInfo& info : encoder->tensors())
    trained += is_trained(info.group) ? c10::multiply_integers(info.shape) : 0;
  for (const TensorInfo& info : encoder->adapter_tensors("a")) trained += c10::multiply_integers(info.shape);
  EXPECT_EQ(trainer.memory(2, 3).fixed, 3 * 4 * trained);
  EXPECT_LT(trainer.memory(2, 3).fixed, whole / 2);
}

std::vector<float> encoded(Encoder& encoder) {
  const PackedBatch batch = batch_of({5, 1, 40, 17, 2, 16}, 11, 2);
  std::vector<float> out(static_cast<size_t>(batch.rows() * encoder.embedding_dimension()));
  encoder.encode(batch, EncoderOutput::kSentenceEmbedding, out.data(), static_cast<int64_t>(out.size()));
  return out;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  return largest_difference({{"", a}}, {{"", b}});
}

void load_adapter(Encoder& encoder, const std::string& name, uint64_t seed) {
  Weights weights;
  for (const TensorInfo& info : encoder.adapter_tensors(name)) {
    const at::Tensor values = random_tensor(info.shape, at::kFloat, ++seed, 0.7);
    weights[info.name].assign(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
  }
  load_weights(encoder, weights);
}

TEST(Adapter, SwitchesMergesAndGoes) {
  for (const char* dtype : {"float32", "float64", "bfloat16"}) {
    SCOPED_TRACE(dtype);
    const double tolerance = dtype[0] == 'b' ? 0.05 : 1e-5;
    auto encoder = encoder_of(dtype);
    const std::vector<float> before = encoded(*encoder);
    encoder->add_adapter(adapter_of("a", 0.1), 1);
    const std::vector<float> plain = encoded(*encoder);
    // B is 0 at first. In bfloat16 the table of words is halved.
    EXPECT_LE(difference(plain, before), dtype[0] == 'b' ? tolerance : 0);
    load_adapter(*encoder, "a", 100);
    const std::vector<float> with_a = encoded(*encoder);
    EXPECT_GT(difference(with_a, plain), 0.05);
    encoder->add_adapter(adapter_of("b", 0), 2);
    EXPECT_LE(difference(encoded(*encoder), plain), 0);
    encoder->set_adapter("a");
    EXPECT_LE(difference(encoded(*encoder), with_a), 0);
    encoder->set_adapter("");
    EXPECT_LE(difference(encoded(*encoder), plain), 0);
    encoder->delete_adapter("b");
    encoder->merge_adapter("a");
    EXPECT_LE(difference(encoded(*encoder), with_a), tolerance);
    for (const TensorInfo& info : encoder->tensors()) EXPECT_TRUE(is_trained(info.group)) << info.name;
  }
}

TEST(Adapter, DumpsWhatItMakes) {
  auto encoder = encoder_of("float32");
  encoder->add_adapter(adapter_of("a", 0.1), 1);
  load_adapter(*encoder, "a", 100);
  Weights merged = dump_weights(*encoder);
  std::vector<TensorRange> ranges;
  for (auto& [name, values] : merged) {
    ranges.push_back({name, 0, "F32", values.data(), static_cast<int64_t>(values.size() * sizeof(float))});
  }
  // In two ranges, as large tensors come.
  auto& query = merged.at(kLayer + "0.attention.self.query.weight");
  ranges.push_back({kLayer + "0.attention.self.query.weight", 17, "F32", query.data() + 17, 40});
  encoder->dump(ranges, true);
  encoder->merge_adapter("a");
  EXPECT_LE(largest_difference(dump_weights(*encoder), merged), 0);
}

TEST(Adapter, RefusesWhatItCannotAdapt) {
  auto encoder = encoder_of("float32");
  const auto refused = [&](const std::string& code, const std::string& message,
                           const std::vector<AdapterSpec::Target>& targets) {
    expect_error(code, message, [&] { encoder->add_adapter({"a", 0, false, targets}, 1); });
  };
  refused("ERR_INVALID_TENSORS", "no tensor named 0.nothing", {{"0.nothing", 1, 1}});
  refused("ERR_NOT_IMPLEMENTED", "only linear layers", {{"0.embeddings.word_embeddings.weight", 1, 1}});
  refused("ERR_INVALID_TENSORS", "no matrix", {{"0.embeddings.LayerNorm.weight", 1, 1}});
  refused("ERR_INVALID_ARGUMENT", "a tensor of the transformer", {{"2.linear.weight", 1, 1}});
  refused("ERR_INVALID_ARGUMENT", "the same weights",
          {{kLayer + "0.output.dense.weight", 1, 1}, {kLayer + "0.output.dense.weight", 2, 1}});
  encoder->add_adapter(adapter_of("a", 0), 1);
  refused("ERR_INVALID_ARGUMENT", "an adapter named a already", {{kLayer + "0.output.dense.weight", 1, 1}});
  expect_error("ERR_INVALID_ARGUMENT", "no adapter named b", [&] { encoder->set_adapter("b"); });
}

// Frozen by the trainer: no gradients, and everything as it was when the trainer has gone.
TEST(Adapter, TensorsThatATrainerFreezesHaveNoGradients) {
  auto encoder = encoder_of("float32");
  const std::vector<float> before = encoded(*encoder);
  {
    Trainer trainer(encoder, spec_of(loss_of("CosineSimilarityLoss")));
    std::map<std::string, int> groups;
    for (const TensorInfo& info : encoder->tensors()) {
      if (info.name.rfind("0.", 0) == 0) groups[info.name] = -1;
    }
    trainer.set_groups({0.01, 0}, groups);
    size_t gradients = 0;
    for (const TensorInfo& info : trainer.tensors()) gradients += info.name.rfind("grad.", 0) == 0;
    EXPECT_EQ(gradients, 2U);
    const Weights weights = dump_weights(*encoder);
    trainer.step(scored_batch(), kUpdate);
    EXPECT_EQ(dump_weights(trainer, "grad.").size(), 2U);
    for (const auto& [name, values] : dump_weights(*encoder)) {
      EXPECT_EQ(values == weights.at(name), name[0] == '0') << name;
    }
  }
  for (const TensorInfo& info : encoder->tensors()) EXPECT_TRUE(is_trained(info.group)) << info.name;
  EXPECT_GT(difference(encoded(*encoder), before), 0);
}

}  // namespace

}  // namespace st::test
