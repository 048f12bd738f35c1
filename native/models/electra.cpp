#include "models/electra.h"

#include "core/model_config.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

namespace {

BertLayers layers_of(const Config& config) {
  SizeKeys keys;
  keys.width.fallback = 256;
  keys.heads.fallback = 4;
  keys.inner.fallback = 1024;
  return {config, keys};
}

int64_t embedding_width(const Config& config) {
  return ModelConfig(config).size("embedding_size", 128);
}

}  // namespace

Description describe_electra(const Config& given) {
  const ModelConfig config(given);
  config.only("position_embedding_type", {"absolute"});
  config.must_be("is_decoder", false);
  config.must_be("add_cross_attention", false);
  const TransformerSizes sizes = layers_of(given).sizes;
  config.integer("pad_token_id", 0);

  Description out = description_of(sizes, "num_hidden_layers", sizes.positions, sizes.token_types);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"electra."});
  names.renames = old_norm_names();
  names.left_out = {"embeddings.position_ids",
                    "embeddings.token_type_ids",
                    "generator_predictions.dense.weight",
                    "generator_predictions.dense.bias",
                    "generator_predictions.LayerNorm.weight",
                    "generator_predictions.LayerNorm.bias",
                    "generator_lm_head.weight",
                    "generator_lm_head.bias"};
  names.layer = "encoder.layer.";
  out.language_model = masked_language_model(given, sizes, "ElectraForMaskedLM", "electra.",
                                             {.dense = "generator_predictions.dense",
                                              .norm = "generator_predictions.LayerNorm",
                                              .last = "generator_lm_head",
                                              .bias = "generator_lm_head.bias"});
  out.language_model->inner = embedding_width(given);
  return out;
}

ClassifierSpec classify_electra(const Config& config) {
  return two_layer_classifier(config, "ElectraForSequenceClassification", "electra.", Activation::kGelu);
}

std::unique_ptr<Model> make_electra(const Config& config, bool, const std::string& prefix, Layout& layout) {
  const BertLayers layers = layers_of(config);
  const TransformerSizes& sizes = layers.sizes;
  const int64_t narrow = embedding_width(config);
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, sizes.positions, sizes.token_types, narrow,
                              layers.norm);
  std::optional<Linear> projection;
  if (narrow != sizes.width) projection.emplace(layout, prefix + "embeddings_project", narrow, sizes.width);
  const EmbeddingOptions options{.dropout = sizes.dropout, .padding = padding_token(config, 0, sizes.vocabulary)};
  Stack<Layer<FeedForward>> stack{.embeddings = tables.with(options, projection),
                                  .layers = layers.add_to(layout, prefix + "encoder.layer.", {}, 1),
                                  .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, sizes.token_types, sizes.positions}, std::move(stack), false,
                          prefix, layout);
}

}  // namespace st
