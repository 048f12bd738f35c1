#include "models/distilbert.h"

#include "core/model_config.h"
#include "models/bert_family.h"
#include "models/transformer.h"

namespace st {

namespace {

BertLayers layers_of(const Config& config) {
  const SizeKeys keys{.width = {"dim", 768},
                      .heads = {"n_heads", 12},
                      .inner = {"hidden_dim", 3072},
                      .layers = {"n_layers", 6},
                      .vocabulary = {"vocab_size", 30522},
                      .positions = {"max_position_embeddings", 512},
                      .token_types = {"", 1},
                      .epsilon = {"", 1e-12},
                      .dropout = {"dropout", 0.1},
                      .attention_dropout = {"attention_dropout", 0.1}};
  BertLayers layers(config, keys, "activation");
  layers.output_dropout = 0;
  return layers;
}

const BertLayerNames kNames{.query = "attention.q_lin",
                            .key = "attention.k_lin",
                            .value = "attention.v_lin",
                            .attention_output = "attention.out_lin",
                            .attention_norm = "sa_layer_norm",
                            .inner = "ffn.lin1",
                            .output = "ffn.lin2",
                            .norm = "output_layer_norm"};

}  // namespace

Description describe_distilbert(const Config& given) {
  const ModelConfig config(given);
  const BertLayers layers = layers_of(given);
  const TransformerSizes& sizes = layers.sizes;
  config.integer("pad_token_id", 0);
  config.boolean("sinusoidal_pos_embds", false);

  Description out = description_of(sizes, "n_layers", sizes.positions, 0);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"distilbert."});
  names.renames = old_norm_names();
  names.left_out = {"embeddings.position_ids", "vocab_transform.weight", "vocab_transform.bias",
                    "vocab_layer_norm.weight", "vocab_layer_norm.bias",  "vocab_projector.weight",
                    "vocab_projector.bias"};
  names.layer = "transformer.layer.";
  out.language_model = masked_language_model(given, sizes, "DistilBertForMaskedLM", "distilbert.",
                                             {.dense = "vocab_transform",
                                              .norm = "vocab_layer_norm",
                                              .last = "vocab_projector",
                                              .bias = "vocab_projector.bias"});
  out.language_model->activation = layers.activation;
  return out;
}

ClassifierSpec classify_distilbert(const Config& config) {
  return pre_classifier(config, "DistilBertForSequenceClassification", "distilbert.");
}

Initial initial_distilbert(const Config& config, const std::string& name, const std::vector<int64_t>& shape) {
  // Tables that were made so load; a new one would be another formula than all others.
  if (name == "embeddings.position_embeddings.weight") ModelConfig(config).must_be("sinusoidal_pos_embds", false);
  return usual_initial(config, name, shape);
}

std::unique_ptr<Model> make_distilbert(const Config& config, bool, const std::string& prefix, Layout& layout) {
  const BertLayers layers = layers_of(config);
  const TransformerSizes& sizes = layers.sizes;
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, sizes.positions, 0, sizes.width, layers.norm);
  Stack<Layer<FeedForward>> stack{
      .embeddings = tables.with({.dropout = sizes.dropout, .padding = padding_token(config, 0, sizes.vocabulary)}),
      .layers = layers.add_to(layout, prefix + "transformer.layer.", kNames, 1),
      .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, 1, sizes.positions}, std::move(stack), false, prefix, layout);
}

}  // namespace st
