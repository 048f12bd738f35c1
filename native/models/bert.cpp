#include "models/bert.h"

#include "core/model_config.h"
#include "models/architecture.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

Description describe_bert(const Config& given) {
  const ModelConfig config(given);
  config.only("position_embedding_type", {"absolute"});
  config.must_be("is_decoder", false);
  config.must_be("add_cross_attention", false);
  const TransformerSizes sizes = BertLayers(given, SizeKeys()).sizes;
  config.integer("pad_token_id", 0);

  Description out = description_of(sizes, "num_hidden_layers", sizes.positions, sizes.token_types);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"bert."});
  names.renames = old_norm_names();
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
  names.layer = "encoder.layer.";
  names.pooler = {"pooler.dense.weight", "pooler.dense.bias"};
  out.language_model = masked_bert(given, sizes);
  return out;
}

LanguageModelSpec masked_bert(const Config& config, const TransformerSizes& sizes) {
  LanguageModelSpec out = masked_language_model(config, sizes, "BertForMaskedLM", "bert.",
                                                {.dense = "cls.predictions.transform.dense",
                                                 .norm = "cls.predictions.transform.LayerNorm",
                                                 .last = "cls.predictions.decoder",
                                                 .bias = "cls.predictions.bias"});
  out.activation = parse_activation(config.string("hidden_act", "gelu"), "hidden_act in config.json");
  return out;
}

ClassifierSpec classify_bert(const Config& config) {
  return pooler_classifier(config, "BertForSequenceClassification", "bert.");
}

std::unique_ptr<Model> make_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  const BertLayers layers(config, SizeKeys());
  const TransformerSizes& sizes = layers.sizes;
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, sizes.positions, sizes.token_types, sizes.width,
                              layers.norm);
  Stack<Layer<FeedForward>> stack{
      .embeddings = tables.with({.dropout = sizes.dropout, .padding = padding_token(config, 0, sizes.vocabulary)}),
      .layers = layers.add_to(layout, prefix + "encoder.layer.", {}, 1),
      .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, sizes.token_types, sizes.positions}, std::move(stack), pooler,
                          prefix, layout);
}

}  // namespace st
