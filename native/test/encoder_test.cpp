// The encoder through the engine's public headers.
#include "engine/encoder.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "ops/pooling.h"
#include "support.h"
#include "weights.h"

namespace st::test {

namespace {

constexpr const char* kInvalid = "ERR_INVALID_ARGUMENT";
const std::vector<std::string> kModes = {"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};

at::Tensor encode(Encoder& encoder, const PackedBatch& batch,
                  EncoderOutput output = EncoderOutput::kSentenceEmbedding) {
  const int64_t rows = output == EncoderOutput::kTokenEmbeddings ? batch.tokens() : batch.rows();
  const int64_t width =
      output == EncoderOutput::kSentenceEmbedding ? encoder.embedding_dimension() : encoder.token_dimension();
  std::vector<float> out(rows * width, -1);
  encoder.encode(batch, output, out.data(), static_cast<int64_t>(out.size()));
  return at::from_blob(out.data(), {rows, width}, at::kFloat).clone();
}

// Row `row` of a batch on its own.
PackedBatch row_of(const PackedBatch& batch, int64_t row) {
  PackedBatch out;
  const auto begin = batch.offsets[row], end = batch.offsets[row + 1];
  out.ids.assign(batch.ids.begin() + begin, batch.ids.begin() + end);
  if (!batch.token_types.empty())
    out.token_types.assign(batch.token_types.begin() + begin, batch.token_types.begin() + end);
  if (!batch.prompt_lengths.empty()) out.prompt_lengths = {batch.prompt_lengths[row]};
  out.offsets = {0, end - begin};
  return out;
}

PackedBatch mixed_batch() {
  PackedBatch batch = batch_of({5, 1, 40, 17, 2, 16}, 11, 2);
  batch.prompt_lengths = {2, 1, 0, 3, 5, 1};
  return batch;
}

TEST(Encoder, SizesAndTensors) {
  EncoderSpec spec = tiny_bert({pooling({"mean", "max"}), dense(24, 5, "tanh")});
  spec.pooler = true;
  const Encoder encoder(spec);
  EXPECT_EQ(encoder.embedding_dimension(), 5);
  EXPECT_EQ(encoder.token_dimension(), 12);
  EXPECT_EQ(encoder.max_positions(), 40);
  std::vector<std::string> names;
  for (const TensorInfo& info : encoder.tensors()) names.push_back(info.name);
  EXPECT_EQ(names.size(), 5 + 2 * 16 + 2 + 2U);
  for (const char* name :
       {"0.embeddings.word_embeddings.weight", "0.embeddings.LayerNorm.bias",
        "0.encoder.layer.1.attention.self.key.bias", "0.encoder.layer.0.attention.output.LayerNorm.weight",
        "0.encoder.layer.1.intermediate.dense.weight", "0.encoder.layer.1.output.dense.bias", "0.pooler.dense.weight",
        "2.linear.weight"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  }
}

TEST(Encoder, WeightsComeBackAsTheyWereLoaded) {
  for (const char* dtype : {"float32", "bfloat16"}) {
    Encoder encoder(tiny_bert({pooling({"mean"})}, dtype));
    const Weights weights = random_weights(encoder, 3);
    load_weights(encoder, weights);
    EXPECT_TRUE(weights == dump_weights(encoder)) << dtype;
  }
}

TEST(Encoder, PackedEqualsOneAtATime) {
  const PackedBatch batch = mixed_batch();
  for (bool include_prompt : {true, false}) {
    Encoder encoder(tiny_bert({pooling(kModes, include_prompt), dense(72, 7, "tanh"), normalize()}));
    load_weights(encoder, random_weights(encoder, 1));
    const at::Tensor all = encode(encoder, batch), tokens = encode(encoder, batch, EncoderOutput::kTokenEmbeddings);
    for (int64_t row = 0; row < batch.rows(); ++row) {
      const PackedBatch one = row_of(batch, row);
      expect_close(all.narrow(0, row, 1), encode(encoder, one), 1e-6, "embedding " + std::to_string(row));
      expect_close(tokens.narrow(0, batch.offsets[row], batch.length(row)),
                   encode(encoder, one, EncoderOutput::kTokenEmbeddings), 1e-6, "tokens of " + std::to_string(row));
    }
  }
}

TEST(Encoder, Bf16AndFloat64AgreeWithFloat32) {
  const PackedBatch batch = mixed_batch();
  const auto encoded = [&](const char* dtype) {
    Encoder encoder(tiny_bert({pooling({"mean"}), normalize()}, dtype));
    load_weights(encoder, random_weights(encoder, 1));
    return encode(encoder, batch);
  };
  const at::Tensor single = encoded("float32");
  expect_close(single, encoded("float64"), 1e-5, "float64");
  const at::Tensor cosines = (single * encoded("bfloat16")).sum(1);
  EXPECT_GE(cosines.min().item<float>(), 0.999);
}

TEST(Encoder, RunsAreBitIdenticalAndThreadsChangeLittle) {
  Encoder encoder(tiny_bert({pooling({"mean", "max"})}));
  load_weights(encoder, random_weights(encoder, 1));
  const PackedBatch batch = mixed_batch(), other = batch_of({40, 40, 3}, 11);
  const at::Tensor first = encode(encoder, batch);
  encode(encoder, other);
  EXPECT_TRUE(same_bits(first, encode(encoder, batch)));
  for (int threads : {1, 3}) {
    const Threads set(threads);
    expect_close(encode(encoder, batch), first, 1e-6, "threads");
  }
}

TEST(Encoder, TokenEmbeddingsArePooledByHand) {
  Encoder encoder(tiny_bert({pooling({"cls", "mean"})}));
  load_weights(encoder, random_weights(encoder, 1));
  const PackedBatch batch = batch_of({3, 5}, 11);
  const at::Tensor tokens = encode(encoder, batch, EncoderOutput::kTokenEmbeddings), sentences = encode(encoder, batch);
  EXPECT_TRUE(same_bits(sentences[1].narrow(0, 0, 12), tokens[3]));
  expect_close(sentences[1].narrow(0, 12, 12), tokens.narrow(0, 3, 5).mean(0), 1e-6, "mean");
}

TEST(Encoder, ATableIsReadWithoutTokenEmbeddings) {
  const PackedBatch batch = batch_of({3, 0, 5, 30, 1}, 40);
  std::vector<at::Tensor> found;
  for (const char* dtype : {"float32", "bfloat16", "float64"}) {
    SCOPED_TRACE(dtype);
    EncoderSpec spec;
    spec.architecture = "static_embedding";
    spec.config = Config::Object{{"vocab_size", 40.0}, {"hidden_size", 130.0}};
    spec.modules = {normalize()};
    spec.dtype = dtype;
    Encoder encoder(spec);
    load_weights(encoder, random_weights(encoder, 1));
    const at::Tensor tokens = encode(encoder, batch, EncoderOutput::kTokenEmbeddings);
    found.push_back(encode(encoder, batch));
    const at::Tensor expected = normalized(pool(tokens, batch, {"mean"}, true));
    if (dtype == std::string("float64")) {
      expect_close(found.back(), expected, 1e-6, "by hand");
    } else {
      EXPECT_TRUE(same_bits(found.back(), expected));
    }
    EXPECT_EQ(found.back()[1].abs().max().item<float>(), 0);
  }
  // Token embeddings that are rounded to bfloat16 have other means.
  EXPECT_FALSE(same_bits(found[0], found[1]));
}

TEST(Encoder, PoolerOutput) {
  const PackedBatch batch = batch_of({3, 5}, 11);
  EncoderSpec spec = tiny_bert({pooling({"mean"})});
  Encoder without(spec);
  expect_error(kInvalid, "no pooler", [&] { encode(without, batch, EncoderOutput::kPoolerOutput); });
  spec.pooler = true;
  Encoder encoder(spec);
  const Weights weights = random_weights(encoder, 1);
  load_weights(encoder, weights);
  const at::Tensor first = encode(encoder, batch, EncoderOutput::kTokenEmbeddings)[3];
  std::vector<float> weight = weights.at("0.pooler.dense.weight"), bias = weights.at("0.pooler.dense.bias");
  const at::Tensor expected =
      (at::from_blob(weight.data(), {12, 12}, at::kFloat).matmul(first) + at::from_blob(bias.data(), {12}, at::kFloat))
          .tanh();
  expect_close(encode(encoder, batch, EncoderOutput::kPoolerOutput)[1], expected, 1e-6, "pooler output");
}

TEST(Encoder, EveryPositionIsUsableAndNoMore) {
  Encoder encoder(tiny_bert({pooling({"mean"})}));
  load_weights(encoder, random_weights(encoder, 1));
  EXPECT_NO_THROW(encode(encoder, batch_of({40}, 11)));
  expect_error(kInvalid, "Row 1 has 41 tokens", [&] { encode(encoder, batch_of({1, 41}, 11)); });
  expect_error(kInvalid, "token ids from 0 to 10 but found 11", [&] {
    PackedBatch batch = batch_of({2});
    batch.ids[1] = 11;
    encode(encoder, batch);
  });
  float out[24];
  for (int64_t size : {0, 12, 23, 25}) {
    expect_error(kInvalid, "Expected room for 2 x 12 values in out but found " + std::to_string(size),
                 [&] { encoder.encode(batch_of({2, 3}, 11), EncoderOutput::kSentenceEmbedding, out, size); });
  }
}

TEST(Encoder, DisposeTwiceAndUseAfterwards) {
  Encoder encoder(tiny_bert({pooling({"mean"})}));
  encoder.dispose();
  encoder.dispose();
  EXPECT_EQ(encoder.embedding_dimension(), 12);
  expect_error("ERR_DISPOSED", "encoder was disposed", [&] { encode(encoder, batch_of({2}, 11)); });
  expect_error("ERR_DISPOSED", "encoder was disposed", [&] { load_weights(encoder, random_weights(encoder, 1)); });
  expect_error("ERR_DISPOSED", "encoder was disposed", [&] { dump_weights(encoder); });
}

TEST(Encoder, SpecsThatCannotWorkAreRefused) {
  const std::vector<Config> mean = {pooling({"mean"})};
  const auto refused = [&](const char* code, const std::string& message, const std::vector<Config>& modules,
                           const Config::Object& changes = {}, const char* dtype = "float32") {
    expect_error(code, message, [&] { Encoder(tiny_bert(modules, dtype, changes)); });
  };
  constexpr const char *kModel = "ERR_INVALID_MODEL", *kNotBuilt = "ERR_NOT_IMPLEMENTED";
  refused(kModel, "Expected a Pooling module", {});
  refused(kModel, "Module Normalize needs a sentence embedding", {normalize()});
  refused(kModel, "Module 2.Dense takes 5 features but receives 12", {pooling({"mean"}), dense(5, 3, "tanh")});
  refused(kNotBuilt, "Activation mish of a Dense module", {pooling({"mean"}), dense(12, 3, "mish")});
  refused(kNotBuilt, "Pooling mode median", {pooling({"median"})});
  refused(kNotBuilt, "Module LSTM is not built", {pooling({"mean"}), Config::Object{{"type", text("LSTM")}}});
  refused(kModel, "Expected a divisor of hidden_size 12 as num_attention_heads in config.json, found 5", mean,
          {{"num_attention_heads", 5.0}});
  refused(kNotBuilt, "Activation mish of hidden_act", mean, {{"hidden_act", text("mish")}});
  refused(kNotBuilt, "position_embedding_type: \"relative_key\"", mean,
          {{"position_embedding_type", text("relative_key")}});
  refused(kNotBuilt, "is_decoder", mean, {{"is_decoder", true}});
  refused(kModel, "hidden_dropout_prob in config.json, found 1", mean, {{"hidden_dropout_prob", 1.0}});
  refused(kModel, "as vocab_size in config.json, found null", mean, {{"vocab_size", Config()}});
  refused(kInvalid, "float16", mean, {}, "float16");
  for (const char* key : {"hidden_size", "vocab_size", "type_vocab_size", "max_position_embeddings",
                          "intermediate_size", "num_hidden_layers", "num_attention_heads"}) {
    refused(kModel, std::string("as ") + key + " in config.json, found 0", mean, {{key, 0.0}});
  }
  EncoderSpec gpt = tiny_bert(mean);
  gpt.architecture = "gpt2";
  expect_error(kNotBuilt, "model_type \"gpt2\"; built are: ", [&] { Encoder encoder(gpt); });
}

}  // namespace

}  // namespace st::test
