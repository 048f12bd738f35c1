#include "models/gte.h"

#include <algorithm>

#include "core/model_config.h"
#include "models/rotary_bert.h"
#include "models/transformer.h"

namespace st {

namespace {

RotaryBertLayers layers_of(const Config& given) {
  const ModelConfig config(given);
  SizeKeys keys;
  keys.vocabulary.fallback = 250048;
  keys.positions.fallback = 8192;
  keys.token_types.fallback = 1;
  keys.may_lack_types = true;
  keys.attention_dropout.fallback = 0;
  const TransformerSizes sizes(given, keys);
  // transformers' class and the code on the hub have other defaults.
  const bool hub = config.text("model_type", "gte") == "new" || config.has("pack_qkv");
  const double theta = hub ? 10000 : 160000;
  return {.sizes = sizes,
          .norm = {.epsilon = sizes.epsilon},
          .activation = parse_activation(config.text("hidden_act", "gelu"), "hidden_act in config.json"),
          .rope = rotary_base(given, theta, sizes.width / sizes.heads),
          .projection_bias = true,
          .down_bias = true,
          .inner_dropout = sizes.dropout};
}

}  // namespace

Description describe_gte(const Config& given) {
  const ModelConfig config(given);
  config.only("position_embedding_type", {"rope"});
  config.only("layer_norm_type", {"layer_norm"});
  config.must_be("logn_attention_scale", false);
  const TransformerSizes sizes = layers_of(given).sizes;
  config.integer("pad_token_id", 0);

  Description out = description_of(sizes, "num_hidden_layers", sizes.positions, sizes.token_types);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"gte.", "new."});
  names.renames = {{"encoder.layer.*", "layers.*"},
                   {"*.attention.qkv_proj.*", "*.self_attn.qkv_proj.*"},
                   {"*.attention.q_proj.*", "*.self_attn.q_proj.*"},
                   {"*.attention.k_proj.*", "*.self_attn.k_proj.*"},
                   {"*.attention.v_proj.*", "*.self_attn.v_proj.*"},
                   {"*.attention.o_proj.*", "*.self_attn.o_proj.*"},
                   {"*.attn_ln.*", "*.post_attention_layernorm.*"},
                   {"*.mlp_ln.*", "*.post_mlp_layernorm.*"},
                   {"lm_head.layer_norm.*", "lm_head.norm.*"}};
  names.left_out = {"lm_head.decoder.weight", "lm_head.decoder.bias", "lm_head.bias",     "lm_head.dense.weight",
                    "lm_head.dense.bias",     "lm_head.norm.weight",  "lm_head.norm.bias"};
  names.layer = "layers.";
  names.pooler = {"pooler.dense.weight", "pooler.dense.bias"};
  // The code on the hub has names of its own.
  const bool hub = config.text("model_type", "gte") == "new";
  out.language_model = masked_language_model(
      given, sizes, hub ? "NewForMaskedLM" : "GteForMaskedLM", hub ? "new." : "gte.",
      {.dense = "lm_head.dense", .norm = "lm_head.norm", .last = "lm_head.decoder", .bias = "lm_head.decoder.bias"});
  return out;
}

std::vector<std::string_view> gte_classes() {
  return {"NewConfig",
          "NewModel",
          "NewForMaskedLM",
          "NewForMultipleChoice",
          "NewForQuestionAnswering",
          "NewForSequenceClassification",
          "NewForTokenClassification",
          "GteConfig",
          "GteModel",
          "GteForMaskedLM",
          "GteForMultipleChoice",
          "GteForQuestionAnswering",
          "GteForSequenceClassification",
          "GteForTokenClassification"};
}

ClassifierSpec classify_gte(const Config& config) {
  return pooler_classifier(config, "GteForSequenceClassification", "gte.");
}

std::unique_ptr<Model> make_gte(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  const RotaryBertLayers layers = layers_of(config);
  const TransformerSizes& sizes = layers.sizes;
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, 0, sizes.token_types, sizes.width, layers.norm);
  Stack<Layer<GatedFeedForward>> stack{
      .embeddings = tables.with({.dropout = sizes.dropout, .padding = padding_token(config, 1, sizes.vocabulary)}),
      .layers = layers.add_to(layout, prefix + "layers.", 1),
      .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, std::max<int64_t>(sizes.token_types, 1), sizes.positions},
                          std::move(stack), pooler, prefix, layout);
}

}  // namespace st
