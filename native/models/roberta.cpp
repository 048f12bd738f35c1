#include "models/roberta.h"

#include "core/error.h"
#include "core/model_config.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

namespace {

// The sizes are those of BERT's config but for the vocabulary, which only RobertaConfig has otherwise.
SizeKeys keys_of(int64_t vocabulary) {
  SizeKeys keys;
  keys.vocabulary.fallback = vocabulary;
  return keys;
}

constexpr int64_t kRobertaVocabulary = 50265, kOtherVocabulary = 30522;

// Position padding + 1 is the first.
int64_t padding_of(const Config& config) {
  return ModelConfig(config).integer("pad_token_id", 1, 0);
}

Description describe(const Config& given, int64_t vocabulary, const std::string& class_name) {
  const ModelConfig config(given);
  config.only("position_embedding_type", {"absolute"});
  config.must_be("is_decoder", false);
  config.must_be("add_cross_attention", false);
  const BertLayers layers(given, keys_of(vocabulary));
  const TransformerSizes& sizes = layers.sizes;
  const int64_t padding = padding_of(given), longest = sizes.positions - padding - 1;
  check(longest >= 1, "ERR_INVALID_MODEL", "Expected max_position_embeddings above pad_token_id + 1 = ", padding + 1,
        " in config.json, found ", sizes.positions);

  Description out = description_of(sizes, "num_hidden_layers", longest, sizes.token_types);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"roberta."});
  names.renames = old_norm_names();
  names.left_out = {"embeddings.position_ids", "embeddings.token_type_ids", "lm_head.bias",
                    "lm_head.dense.weight",    "lm_head.dense.bias",        "lm_head.layer_norm.weight",
                    "lm_head.layer_norm.bias", "lm_head.decoder.weight",    "lm_head.decoder.bias"};
  names.layer = "encoder.layer.";
  names.pooler = {"pooler.dense.weight", "pooler.dense.bias"};
  out.language_model = masked_language_model(
      given, sizes, class_name, "roberta.",
      {.dense = "lm_head.dense", .norm = "lm_head.layer_norm", .last = "lm_head.decoder", .bias = "lm_head.bias"});
  return out;
}

}  // namespace

Description describe_roberta(const Config& config) {
  return describe(config, kRobertaVocabulary, "RobertaForMaskedLM");
}
Description describe_xlm_roberta(const Config& config) {
  return describe(config, kOtherVocabulary, "XLMRobertaForMaskedLM");
}
Description describe_camembert(const Config& config) {
  return describe(config, kOtherVocabulary, "CamembertForMaskedLM");
}

ClassifierSpec classify_roberta(const Config& config) {
  return two_layer_classifier(config, "RobertaForSequenceClassification", "roberta.");
}
ClassifierSpec classify_xlm_roberta(const Config& config) {
  return two_layer_classifier(config, "XLMRobertaForSequenceClassification", "roberta.");
}
ClassifierSpec classify_camembert(const Config& config) {
  return two_layer_classifier(config, "CamembertForSequenceClassification", "roberta.");
}

namespace {

std::unique_ptr<Model> make(const Config& config, int64_t vocabulary, bool pooler, const std::string& prefix,
                            Layout& layout) {
  const BertLayers layers(config, keys_of(vocabulary));
  const TransformerSizes& sizes = layers.sizes;
  const int64_t padding = padding_of(config);
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, sizes.positions, sizes.token_types, sizes.width,
                              layers.norm);
  const EmbeddingOptions options{.dropout = sizes.dropout, .padding = padding, .counts_padding = false};
  Stack<Layer<FeedForward>> stack{.embeddings = tables.with(options),
                                  .layers = layers.add_to(layout, prefix + "encoder.layer.", {}, 1),
                                  .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, sizes.token_types, sizes.positions - padding - 1},
                          std::move(stack), pooler, prefix, layout);
}

}  // namespace

std::unique_ptr<Model> make_roberta(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  return make(config, kRobertaVocabulary, pooler, prefix, layout);
}
std::unique_ptr<Model> make_xlm_roberta(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  return make(config, kOtherVocabulary, pooler, prefix, layout);
}

}  // namespace st
