#include "models/mpnet.h"

#include "core/error.h"
#include "core/model_config.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

namespace {

// Fixed in transformers, whatever config.json says.
constexpr int64_t kPadding = 1, kBuckets = 32, kMaxDistance = 128;

BertLayers layers_of(const Config& config) {
  SizeKeys keys;
  keys.vocabulary.fallback = 30527;
  keys.token_types = {"", 1};
  return {config, keys};
}

// The table may have more rows than the buckets that are used.
int64_t rows_of_table(const ModelConfig& config) {
  return config.integer("relative_attention_num_buckets", kBuckets, kBuckets, 1 << 20);
}

const BertLayerNames kNames{.query = "attention.attn.q",
                            .key = "attention.attn.k",
                            .value = "attention.attn.v",
                            .attention_output = "attention.attn.o",
                            .attention_norm = "attention.LayerNorm"};

}  // namespace

Description describe_mpnet(const Config& given) {
  const ModelConfig config(given);
  rows_of_table(config);
  const TransformerSizes sizes = layers_of(given).sizes;
  const int64_t longest = sizes.positions - kPadding - 1;
  check(longest >= 1, "ERR_INVALID_MODEL", "Expected max_position_embeddings above ", kPadding + 1,
        " in config.json, found ", sizes.positions);

  Description out = description_of(sizes, "num_hidden_layers", longest, 0);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"mpnet."});
  names.renames = old_norm_names();
  names.left_out = {"embeddings.position_ids",   "lm_head.bias",
                    "lm_head.dense.weight",      "lm_head.dense.bias",
                    "lm_head.layer_norm.weight", "lm_head.layer_norm.bias",
                    "lm_head.decoder.weight",    "lm_head.decoder.bias"};
  names.layer = "encoder.layer.";
  names.pooler = {"pooler.dense.weight", "pooler.dense.bias"};
  out.language_model = masked_language_model(
      given, sizes, "MPNetForMaskedLM", "mpnet.",
      {.dense = "lm_head.dense", .norm = "lm_head.layer_norm", .last = "lm_head.decoder", .bias = "lm_head.bias"});
  return out;
}

ClassifierSpec classify_mpnet(const Config& config) {
  return two_layer_classifier(config, "MPNetForSequenceClassification", "mpnet.", Activation::kTanh, false);
}

std::unique_ptr<Model> make_mpnet(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  const BertLayers layers = layers_of(config);
  const TransformerSizes& sizes = layers.sizes;
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, sizes.positions, 0, sizes.width, layers.norm);
  // One table for all layers.
  const BiasTable bias{layout.add(prefix + "encoder.relative_attention_bias.weight",
                                  {rows_of_table(ModelConfig(config)), sizes.heads}, Group::kNoDecay),
                       kBuckets, kMaxDistance, true};
  const EmbeddingOptions options{.dropout = sizes.dropout, .padding = kPadding, .counts_padding = false};
  Stack<Layer<FeedForward>> stack{.embeddings = tables.with(options),
                                  .layers = layers.add_to(layout, prefix + "encoder.layer.", kNames, 1, bias),
                                  .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, 1, sizes.positions - kPadding - 1}, std::move(stack), pooler,
                          prefix, layout);
}

}  // namespace st
