// What of a BERT's config.json and of its checkpoints is known before any weight is read.
#include "core/model_config.h"
#include "core/sizes.h"
#include "models/architecture.h"
#include "models/bert.h"
#include "ops/activation.h"

namespace st {

Description describe_bert(const Config& given) {
  const ModelConfig config(given);
  config.only("position_embedding_type", {"absolute"});
  config.must_be("is_decoder", false);
  config.must_be("add_cross_attention", false);
  const TransformerSizes sizes(given);
  parse_activation(config.text("hidden_act", "gelu"), "hidden_act in config.json");
  config.integer("pad_token_id", 0);

  Description out;
  out.width = sizes.width;
  out.vocabulary = sizes.vocabulary;
  out.token_types = sizes.token_types;
  out.positions = sizes.positions;
  out.layers = sizes.layers;
  out.layers_key = "num_hidden_layers";
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes("bert.");
  names.renames = {{"*LayerNorm.gamma", "*LayerNorm.weight"}, {"*LayerNorm.beta", "*LayerNorm.bias"}};
  names.left_out = {
      "embeddings.position_ids",
      "embeddings.token_type_ids",
      // BertForPreTraining's heads, which losses read where they train them.
      "cls.predictions.bias",
      "cls.predictions.decoder.weight",
      "cls.predictions.decoder.bias",
      "cls.predictions.transform.dense.weight",
      "cls.predictions.transform.dense.bias",
      "cls.predictions.transform.LayerNorm.weight",
      "cls.predictions.transform.LayerNorm.bias",
      "cls.seq_relationship.weight",
      "cls.seq_relationship.bias",
  };
  names.heads = usual_heads();
  names.layer = "encoder.layer.";
  names.pooler = {"pooler.dense.weight", "pooler.dense.bias"};
  const std::string transform = "cls.predictions.transform.";
  out.language_model = LanguageModelNames{"BertForMaskedLM",
                                          "bert.",
                                          "cls.predictions.",
                                          {{transform + "dense.weight", {sizes.width, sizes.width}},
                                           {transform + "dense.bias", {sizes.width}},
                                           {transform + "LayerNorm.weight", {sizes.width}},
                                           {transform + "LayerNorm.bias", {sizes.width}}},
                                          "cls.predictions.decoder",
                                          "cls.predictions.bias",
                                          "embeddings.word_embeddings.weight"};
  return out;
}

ClassifierSpec classify_bert(const Config& config) {
  return pooler_classifier(config, "BertForSequenceClassification", "bert.");
}

}  // namespace st
