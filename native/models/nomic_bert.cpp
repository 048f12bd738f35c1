#include "models/nomic_bert.h"

#include <algorithm>

#include "core/model_config.h"
#include "models/rotary_bert.h"
#include "models/transformer.h"

namespace st {

namespace {

// The keys of transformers where a config.json has them, else those of the code on the hub.
struct Keys {
  explicit Keys(const ModelConfig& config) : of_hub(!config.has("hidden_size") && config.has("n_embd")) {}
  bool of_hub;
  const char* operator()(const char* own, const char* hub) const { return of_hub ? hub : own; }
};

Activation activation_of(const ModelConfig& config, const Keys& keys) {
  if (!keys.of_hub) return parse_activation(config.text("hidden_act", "silu"), "hidden_act in config.json");
  config.only("activation_function", {"swiglu", "geglu"});
  return config.text("activation_function", "swiglu") == "swiglu" ? Activation::kSilu : Activation::kGelu;
}

RotaryBertLayers layers_of(const Config& given) {
  const ModelConfig config(given);
  const Keys key(config);
  const SizeKeys keys{.width = {key("hidden_size", "n_embd"), 768},
                      .heads = {key("num_attention_heads", "n_head"), 12},
                      .inner = {key("intermediate_size", "n_inner"), 3072},
                      .layers = {key("num_hidden_layers", "n_layer"), 12},
                      .vocabulary = {"vocab_size", 30528},
                      .positions = {key("max_position_embeddings", "n_positions"), 2048},
                      .token_types = {"type_vocab_size", 2},
                      .may_lack_types = true,
                      .epsilon = {key("layer_norm_eps", "layer_norm_epsilon"), key.of_hub ? 1e-5 : 1e-12},
                      .dropout = {key("hidden_dropout_prob", "resid_pdrop"), 0},
                      .attention_dropout = {key("attention_probs_dropout_prob", "attn_pdrop"), 0}};
  const TransformerSizes sizes(given, keys);
  RotaryBase rope = rotary_base(given, 1000, sizes.width / sizes.heads);
  if (key.of_hub) rope = {.theta = config.positive("rotary_emb_base", 1000, 1e12)};
  if (key.of_hub && config.has("rotary_scaling_factor")) {
    rope.ntk = DynamicNtk{.factor = config.positive("rotary_scaling_factor", 1, 1e6),
                          .trained = config.size("max_trained_positions", 2048)};
  }
  return {.sizes = sizes,
          .norm = {.epsilon = sizes.epsilon},
          .activation = activation_of(config, key),
          .rope = rope,
          .projection_bias = false,
          .down_bias = false,
          .inner_dropout = 0};
}

}  // namespace

Description describe_nomic_bert(const Config& given) {
  const ModelConfig config(given);
  for (const char* key : {"prenorm", "causal", "parallel_block", "use_rms_norm", "rotary_emb_interleaved",
                          "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias", "scale_attn_by_inverse_layer_idx"}) {
    config.must_be(key, false);
  }
  if (config.number("rotary_emb_fraction", 1) != 1) config.not_built("rotary_emb_fraction", "1");
  if (config.has("rotary_emb_scale_base")) config.not_built("rotary_emb_scale_base", "null");
  if (config.has("moe_every_n_layers") && config.integer("moe_every_n_layers", 0) > 0) {
    config.not_built("moe_every_n_layers", "0");
  }
  if (config.has("head_dim")) {
    const int64_t heads = config.integer("num_attention_heads", 12), width = config.integer("hidden_size", 768);
    if (config.integer("head_dim", 0) * heads != width)
      config.not_built("head_dim", "hidden_size / num_attention_heads");
  }
  const RotaryBertLayers layers = layers_of(given);
  const TransformerSizes& sizes = layers.sizes;
  config.integer("pad_token_id", 0);

  Description out =
      description_of(sizes, Keys(config)("num_hidden_layers", "n_layer"), sizes.positions, sizes.token_types);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"nomic_bert.", "bert."});
  names.renames = {{"encoder.layers.*", "layers.*"},
                   {"emb_ln.*", "embeddings.LayerNorm.*"},
                   {"*.attn.Wqkv.*", "*.self_attn.qkv_proj.*"},
                   {"*.attn.out_proj.*", "*.self_attn.o_proj.*"},
                   {"*.mlp.fc11.*", "*.mlp.up_proj.*"},
                   {"*.mlp.fc12.*", "*.mlp.gate_proj.*"},
                   {"*.mlp.fc2.*", "*.mlp.down_proj.*"},
                   {"*.norm1.*", "*.post_attention_layernorm.*"},
                   {"*.norm2.*", "*.post_mlp_layernorm.*"},
                   {"*.transform.LayerNorm.*", "*.transform.layer_norm.*"}};
  names.left_out = {"embeddings.position_ids",
                    "embeddings.token_type_ids",
                    "cls.predictions.bias",
                    "cls.predictions.decoder.weight",
                    "cls.predictions.decoder.bias",
                    "cls.predictions.transform.dense.weight",
                    "cls.predictions.transform.dense.bias",
                    "cls.predictions.transform.layer_norm.weight",
                    "cls.predictions.transform.layer_norm.bias"};
  names.layer = "layers.";
  names.pooler = {"pooler.dense.weight", "pooler.dense.bias"};
  out.language_model = masked_language_model(given, sizes, "NomicBertForMaskedLM", "nomic_bert.",
                                             {.dense = "cls.predictions.transform.dense",
                                              .norm = "cls.predictions.transform.layer_norm",
                                              .last = "cls.predictions.decoder",
                                              .bias = "cls.predictions.bias"});
  out.language_model->activation = layers.activation;
  return out;
}

std::vector<std::string_view> nomic_bert_classes() {
  return {"NomicBertConfig",
          "NomicBertModel",
          "NomicBertForPreTraining",
          "NomicBertForMaskedLM",
          "NomicBertForMultipleChoice",
          "NomicBertForQuestionAnswering",
          "NomicBertForSequenceClassification",
          "NomicBertForTokenClassification"};
}

std::unique_ptr<Model> make_nomic_bert(const Config& config, bool pooler, const std::string& prefix, Layout& layout) {
  const RotaryBertLayers layers = layers_of(config);
  const TransformerSizes& sizes = layers.sizes;
  const BertEmbeddings tables(layout, prefix + "embeddings.", sizes, 0, sizes.token_types, sizes.width, layers.norm);
  const double dropout =
      ModelConfig(config).probability(Keys(ModelConfig(config)).of_hub ? "embd_pdrop" : "hidden_dropout_prob", 0);
  Stack<Layer<GatedFeedForward>> stack{
      .embeddings = tables.with({.dropout = dropout, .padding = padding_token(config, 0, sizes.vocabulary)}),
      .layers = layers.add_to(layout, prefix + "layers.", 1),
      .width = sizes.width};
  return make_transformer({sizes.width, sizes.vocabulary, std::max<int64_t>(sizes.token_types, 1), sizes.positions},
                          std::move(stack), pooler, prefix, layout);
}

}  // namespace st
