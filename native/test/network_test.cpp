// The whole network with each of its heads against central differences in float64.
#include "engine/training_pass.h"
#include "support.h"
#include "weights.h"

namespace st::test {

namespace {

// ---------------------------------------------------------------------------------------------------------- network

at::Tensor embed(Network& network, const Input& input, const DropoutKey& key) {
  return TrainingPass(network).forward(input, key, {}).embeddings_RD;
}

// Every `stride`-th parameter of the network, with dropout on.
void check_network(const EncoderSpec& spec, const PackedBatch& batch, int64_t stride, const std::string& what,
                   const Network::Wanted& wanted = {}) {
  SCOPED_TRACE(what);
  Network network(spec);
  network.prepare();
  Parameters& parameters = network.parameters();
  parameters.flat().copy_(random_tensor({parameters.layout.size()}, at::kDouble, 1, 0.7));
  const Input input(batch, at::kCPU);
  const DropoutKey key(1, 2, 3);
  const at::Tensor w = random_tensor({batch.rows(), network.embedding_width()}, at::kDouble, 2);
  Network::Output weights{w, {}, {}};
  if (wanted.layers)
    weights.layers_RD = {random_tensor(w.sizes(), at::kDouble, 3), random_tensor(w.sizes(), at::kDouble, 4), {}};
  if (wanted.tokens) weights.tokens_TD = random_tensor({batch.tokens(), 12}, at::kDouble, 4);
  TrainingPass pass(network);
  const auto value = [&] {
    const Network::Output out = pass.forward(input, key, wanted);
    at::Tensor sum = (out.embeddings_RD * w).sum();
    for (size_t i = 0; wanted.layers && i < 2; ++i) sum = sum + (out.layers_RD[i] * weights.layers_RD[i]).sum();
    if (wanted.tokens) sum = sum + (out.tokens_TD * weights.tokens_TD).sum();
    return sum.item<double>();
  };
  value();
  Gradients gradients(parameters.layout, parameters.flat());
  pass.backward(input, key, weights, gradients);
  expect_gradient(value, parameters.flat().narrow(0, 0, gradients.flat().numel()), gradients.flat(), what, stride);
}

TEST(Differences, NetworkWithEveryParameter) {
  check_network(tiny_bert({pooling({"mean"}), dense(12, 5, "tanh"), normalize()}, "float64"),
                batch_of({1, 6, 3}, 11, 2), 1, "mean, Dense, Normalize");
}

TEST(Differences, NetworkOfWhichALossReadsMore) {
  const PackedBatch batch = batch_of({1, 6, 3}, 11);
  const std::vector<Config> modules = {pooling({"mean"}), dense(12, 5, "tanh"), normalize()};
  const EncoderSpec spec = tiny_bert(modules, "float64");
  check_network(spec, batch, 7, "layers", {.layers = true});
  check_network(spec, batch, 7, "tokens", {.tokens = true});
  check_network(spec, batch, 7, "layers, tokens, recomputed", {.layers = true, .tokens = true, .recompute = true});
  check_network(spec, batch, 7, "without dropout", {.drops = false});
}

TEST(Network, RecomputingChangesNoBit) {
  const PackedBatch batch = batch_of({2, 9, 4, 1}, 11);
  const Input input(batch, at::kCPU);
  const DropoutKey key(1, 2, 3);
  std::vector<at::Tensor> found;
  for (const bool recompute : {false, true}) {
    Network network(tiny_bert({pooling({"mean"})}));
    network.prepare();
    network.parameters().flat().copy_(random_tensor({network.parameters().layout.size()}, at::kFloat, 1));
    Gradients gradients(network.parameters().layout, network.parameters().flat());
    TrainingPass pass(network);
    found.push_back(pass.forward(input, key, {.recompute = recompute}).embeddings_RD.clone());
    pass.backward(input, key, {random_tensor({4, 12}, at::kFloat, 2), {}, {}}, gradients);
    found.push_back(gradients.flat());
  }
  EXPECT_TRUE(same_bits(found[0], found[2]));
  EXPECT_TRUE(same_bits(found[1], found[3]));
}

TEST(Network, SaysHowMuchATrainingPassKeeps) {
  const PackedBatch batch = batch_of(std::vector<int>(2000, 20), 11);
  const Input input(batch, at::kCPU);
  for (const bool recompute : {false, true}) {
    Network network(tiny_bert({pooling({"mean"})}));
    network.prepare();
    TrainingPass(network).forward(input, {}, {.recompute = recompute});
    const double said = static_cast<double>(network.kept_per_token(recompute, at::kFloat)),
                 found = static_cast<double>(network.workspace().bytes()) / 40000;
    EXPECT_GT(said, 0.7 * found) << recompute;
    EXPECT_LT(said, 1.3 * found) << recompute;
  }
}

TEST(Differences, NetworkWithEveryHead) {
  PackedBatch batch = batch_of({1, 6, 3}, 11);
  const std::vector<std::string> modes = {"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};
  for (const std::string& mode : modes) check_network(tiny_bert({pooling({mode})}, "float64"), batch, 37, mode);
  check_network(tiny_bert({pooling(modes), normalize()}, "float64"), batch, 37, "all modes");
  batch.prompt_lengths = {0, 2, 3};
  check_network(tiny_bert({pooling({"mean", "weightedmean"}, false)}, "float64"), batch, 37, "without prompts");
}

TEST(Differences, NetworkWithEveryDense) {
  const PackedBatch batch = batch_of({1, 6, 3}, 11);
  for (const char* activation : {"identity", "tanh", "gelu", "relu", "sigmoid", "silu"}) {
    const std::vector<Config> modules = {pooling({"mean"}), dense(12, 4, activation, false), dense(4, 3, activation)};
    check_network(tiny_bert(modules, "float64"), batch, 5, activation);
  }
}

TEST(Differences, NetworkWithLayerNormAndDropout) {
  const PackedBatch batch = batch_of({1, 6, 3}, 11);
  const Config norm = Config::Object{{"type", text("LayerNorm")}, {"dimension", 12.0}};
  const Config narrow = Config::Object{{"type", text("LayerNorm")}, {"dimension", 4.0}};
  const Config dropout = Config::Object{{"type", text("Dropout")}, {"dropout", 0.3}};
  check_network(tiny_bert({pooling({"mean"}), norm, dropout}, "float64"), batch, 7, "LayerNorm, Dropout");
  check_network(tiny_bert({pooling({"mean"}), dropout, dense(12, 4, "tanh"), narrow}, "float64"), batch, 7,
                "Dropout, Dense, LayerNorm");
}

TEST(Differences, NetworkWithWeightedLayers) {
  const PackedBatch batch = batch_of({1, 6, 3}, 11);
  for (const double start : {0.0, 1.0, 2.0}) {
    const Config weighted =
        Config::Object{{"type", text("WeightedLayerPooling")}, {"numHiddenLayers", 2.0}, {"layerStart", start}};
    check_network(tiny_bert({weighted, pooling({"mean"})}, "float64"), batch, 5, "from " + std::to_string(start));
    check_network(tiny_bert({weighted, pooling({"mean"})}, "float64"), batch, 5, "recomputed", {.recompute = true});
  }
}

TEST(Network, GivesTheStatesOfAllLayers) {
  const PackedBatch batch = batch_of({2, 9, 4, 1}, 11);
  Encoder encoder(tiny_bert({pooling({"mean"})}));
  load_weights(encoder, random_weights(encoder, 1));
  std::vector<float> states(3 * 16 * 12), tokens(16 * 12);
  encoder.encode(batch, EncoderOutput::kHiddenStates, states.data(), static_cast<int64_t>(states.size()));
  encoder.encode(batch, EncoderOutput::kTokenEmbeddings, tokens.data(), static_cast<int64_t>(tokens.size()));
  EXPECT_EQ(std::vector<float>(states.end() - 16 * 12, states.end()), tokens);
  EXPECT_NE(std::vector<float>(states.begin(), states.begin() + 16 * 12), tokens);
  expect_error("ERR_INVALID_ARGUMENT", "room for 3 x 16 x 12",
               [&] { encoder.encode(batch, EncoderOutput::kHiddenStates, states.data(), 7); });
}

TEST(Differences, NetworkWithAClassifier) {
  const Config::Object head = {{"type", text("SequenceClassification")}, {"numLabels", 3.0}};
  check_network(tiny_bert({head}, "float64", {{"classifier_dropout", 0.3}}), batch_of({1, 6, 3}, 11, 2), 7,
                "classifier");
}

TEST(Network, TheClassifierDropsInTrainingAlone) {
  const Config::Object head = {{"type", text("SequenceClassification")}, {"numLabels", 3.0}};
  const PackedBatch batch = batch_of({4, 6, 3}, 11, 2);
  const Input input(batch, at::kCPU);
  const auto logits = [&](double dropout, bool training, uint64_t seed) {
    Network network(tiny_bert(
        {head}, "float64",
        {{"hidden_dropout_prob", 0.0}, {"attention_probs_dropout_prob", 0.0}, {"classifier_dropout", dropout}}));
    network.prepare();
    network.parameters().flat().copy_(random_tensor({network.parameters().layout.size()}, at::kDouble, 1));
    if (!training) return network.encode(input.batch, EncoderOutput::kSentenceEmbedding).clone();
    return TrainingPass(network).forward(input, DropoutKey(seed, 0, 0), {}).embeddings_RD.clone();
  };
  const at::Tensor plain = logits(0.4, false, 1);
  expect_close(logits(0, true, 1), plain, 1e-12, "without dropout");
  EXPECT_GT(relative_difference(logits(0.4, true, 1), plain), 0.01);
  EXPECT_TRUE(same_bits(logits(0.4, true, 1), logits(0.4, true, 1)));
  EXPECT_GT(relative_difference(logits(0.4, true, 2), logits(0.4, true, 1)), 0.01);
}

TEST(Differences, NetworkWithEveryHiddenActivation) {
  const PackedBatch batch = batch_of({1, 6, 3}, 11);
  for (const char* activation : {"gelu", "gelu_new", "relu", "silu"}) {
    check_network(tiny_bert({pooling({"mean"})}, "float64", {{"hidden_act", text(activation)}}), batch, 23, activation);
  }
}

TEST(Network, TheEmbeddingOfThePaddingTokenIsNotTrained) {
  const PackedBatch batch = batch_of({6, 3}, 11);  // holds each token below 9
  const auto gradients_of = [&](const Config& padding) {
    Network network(tiny_bert({pooling({"mean"})}, "float64", {{"pad_token_id", padding}}));
    network.prepare();
    network.parameters().flat().copy_(random_tensor({network.parameters().layout.size()}, at::kDouble, 1));
    const Input input(batch, at::kCPU);
    TrainingPass pass(network);
    pass.forward(input, DropoutKey(1, 2, 3), {});
    Gradients gradients(network.parameters().layout, network.parameters().flat());
    pass.backward(input, DropoutKey(1, 2, 3), {random_tensor({2, 12}, at::kDouble, 2), {}, {}}, gradients);
    return gradients.flat();
  };
  const int64_t padding = batch.ids[2];
  const at::Tensor with = gradients_of(static_cast<double>(padding)), without = gradients_of(Config());
  EXPECT_GT(without.narrow(0, padding * 12, 12).abs().max().item<double>(), 0);
  at::Tensor expected = without.clone();
  expected.narrow(0, padding * 12, 12).zero_();  // the word embeddings come first
  EXPECT_TRUE(same_bits(with, expected));
}

TEST(Network, FrozenPoolerIsLeftAlone) {
  EncoderSpec spec = tiny_bert({pooling({"mean"})}, "float64");
  spec.pooler = true;
  Network network(spec);
  network.prepare();
  EXPECT_EQ(network.parameters().layout.size() - network.parameters().layout.trained_end(), 144 + 16);
  check_network(spec, batch_of({2, 3}, 11), 41, "pooler");
}

TEST(Network, TheMaskDependsOnTheStepAndNotOnPacking) {
  Network network(tiny_bert({pooling({"cls"})}, "float64"));
  network.prepare();
  network.parameters().flat().copy_(random_tensor({network.parameters().layout.size()}, at::kDouble, 1));
  const PackedBatch batch = batch_of({4, 6, 3}, 11);
  const Input input(batch, at::kCPU);
  const at::Tensor first = embed(network, input, DropoutKey(1, 0, 0)).clone();
  EXPECT_TRUE(same_bits(first, embed(network, input, DropoutKey(1, 0, 0))));
  EXPECT_GT(relative_difference(embed(network, input, DropoutKey(1, 1, 0)), first), 0.01);
  EXPECT_GT(relative_difference(embed(network, input, DropoutKey(1, 0, 1)), first), 0.01);
  EXPECT_GT(relative_difference(embed(network, input, DropoutKey(2, 0, 0)), first), 0.01);
  EXPECT_GT(relative_difference(network.encode(input.batch, EncoderOutput::kSentenceEmbedding), first), 0.01);
  // Row 1 alone, told that it is row 1.
  PackedBatch alone = batch_of({6}, 11);
  alone.ids.assign(batch.ids.begin() + 4, batch.ids.begin() + 10);
  const at::Tensor row = embed(network, Input(alone, at::kCPU), DropoutKey(1, 0, 0, 1));
  expect_close(row[0], first[1], 1e-12, "row 1 in a chunk");
}

}  // namespace

}  // namespace st::test
