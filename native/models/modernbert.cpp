#include "models/modernbert.h"

#include <cmath>

#include "core/model_config.h"
#include "layers/gated_feed_forward.h"
#include "layers/layer.h"
#include "models/bert_family.h"
#include "models/layer_types.h"
#include "models/rope.h"
#include "models/transformer.h"

namespace st {

namespace {

constexpr double kGlobalTheta = 160000, kLocalTheta = 10000;

struct ModernBertOptions {
  explicit ModernBertOptions(const Config& config);

  TransformerSizes sizes;
  NormOptions norm;
  Activation activation;
  bool attention_bias, mlp_bias;
  double embedding_dropout, mlp_dropout;
  int64_t side;              // tokens that a local layer sees to each side
  std::vector<bool> global;  // by layer
  RotaryBase global_rope, local_rope;
};

SizeKeys keys() {
  return {.width = {"hidden_size", 768},
          .heads = {"num_attention_heads", 12},
          .inner = {"intermediate_size", 1152},
          .layers = {"num_hidden_layers", 22},
          .vocabulary = {"vocab_size", 50368},
          .positions = {"max_position_embeddings", 8192},
          .token_types = {"", 1},
          .epsilon = {"norm_eps", 1e-5},
          .dropout = {"", 0},
          .attention_dropout = {"attention_dropout", 0}};
}

// Which layers see all tokens: `layer_types`, or every n-th from the first on.
std::vector<bool> global_layers(const Config& given, int64_t layers) {
  const ModelConfig config(given);
  std::vector<bool> out;
  if (!config.has("layer_types")) {
    const int64_t every = config.size("global_attn_every_n_layers", 3);
    for (int64_t i = 0; i < layers; ++i) out.push_back(i % every == 0);
    return out;
  }
  for (const bool slides : sliding_layers(given, layers)) out.push_back(!slides);
  return out;
}

RotaryBase rope_of(const Config& config, const char* layer_type, const char* old_key, double theta, int64_t head_dim) {
  theta = ModelConfig(config).positive(old_key, theta, 1e12);
  const Config* all = config.has("rope_parameters") ? &config.member("rope_parameters") : nullptr;
  if (all == nullptr || all->if_object() == nullptr || !all->has(layer_type)) return {.theta = theta};
  return rotary_base(Config(Config::Object{{"rope_parameters", all->member(layer_type)}}), theta, head_dim);
}

ModernBertOptions::ModernBertOptions(const Config& given)
    : sizes(given, keys()),
      norm{.epsilon = sizes.epsilon, .beta = ModelConfig(given).boolean("norm_bias", false)},
      activation(
          parse_activation(ModelConfig(given).text("hidden_activation", "gelu"), "hidden_activation in config.json")),
      attention_bias(ModelConfig(given).boolean("attention_bias", false)),
      mlp_bias(ModelConfig(given).boolean("mlp_bias", false)),
      embedding_dropout(ModelConfig(given).probability("embedding_dropout", 0)),
      mlp_dropout(ModelConfig(given).probability("mlp_dropout", 0)),
      side(ModelConfig(given).integer("local_attention", 128, 0) / 2),
      global(global_layers(given, sizes.layers)),
      global_rope(rope_of(given, "full_attention", "global_rope_theta", kGlobalTheta, sizes.width / sizes.heads)),
      local_rope(rope_of(given, "sliding_attention", "local_rope_theta", kLocalTheta, sizes.width / sizes.heads)) {}

LanguageModelSpec masked_modernbert(const Config& given, const ModernBertOptions& options) {
  const ModelConfig config(given);
  const bool bias = config.boolean("decoder_bias", true);
  LanguageModelSpec out = masked_language_model(
      given, options.sizes, "ModernBertForMaskedLM", "model.",
      {.dense = "head.dense", .norm = "head.norm", .last = "decoder", .bias = bias ? "decoder.bias" : ""});
  out.table = "embeddings.tok_embeddings.weight";
  out.dense_bias = config.boolean("classifier_bias", false);
  out.norm_bias = options.norm.beta;
  out.activation =
      parse_activation(config.text("classifier_activation", "gelu"), "classifier_activation in config.json");
  out.initial = initial_modernbert(given, "head.dense.weight", {1, 1});
  return out;
}

}  // namespace

Description describe_modernbert(const Config& given) {
  const ModelConfig config(given);
  if (config.has("rope_scaling")) config.not_built("rope_scaling", "null");
  const ModernBertOptions options(given);
  config.integer("pad_token_id", 0);

  Description out = description_of(options.sizes, "num_hidden_layers", options.sizes.positions, 0);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"model."});
  names.left_out = {"decoder.weight", "decoder.bias"};
  names.heads.push_back("head");
  names.layer = "layers.";
  out.language_model = masked_modernbert(given, options);
  return out;
}

ClassifierSpec classify_modernbert(const Config& config) {
  return normed_classifier(config, "ModernBertForSequenceClassification", "model.");
}

Initial initial_modernbert(const Config& given, const std::string& name, const std::vector<int64_t>& shape) {
  if (shape.size() == 1) return initial_vector(name);
  const ModelConfig config(given);
  // The row of the padding token is drawn like all others.
  Initial out{.deviation = initializer_range(given), .cutoff = 3, .has_padding = false};
  const bool has_cutoff = config.has("initializer_cutoff_factor");
  if (has_cutoff || given.object().count("initializer_cutoff_factor") == 0) {
    out.cutoff = config.positive("initializer_cutoff_factor", 2, 1e6);
  }
  const int64_t layers = config.size("num_hidden_layers", 22), width = config.size("hidden_size", 768);
  if (name == "classifier.weight") {
    out.deviation = 1 / std::sqrt(static_cast<double>(width));
  } else if (name.ends_with(".Wo.weight") || name == "head.dense.weight" || name == "decoder.weight") {
    out.deviation /= std::sqrt(2.0 * static_cast<double>(layers));
  }
  return out;
}

std::unique_ptr<Model> make_modernbert(const Config& config, bool, const std::string& prefix, Layout& layout) {
  const ModernBertOptions options(config);
  const TransformerSizes& sizes = options.sizes;
  const int64_t width = sizes.width, head_dim = width / sizes.heads;
  const ParamId word =
      layout.add(prefix + "embeddings.tok_embeddings.weight", {sizes.vocabulary, width}, Group::kDecay);
  const Norm first(layout, prefix + "embeddings.norm", width, options.norm);
  const EmbeddingOptions embedding{.dropout = options.embedding_dropout,
                                   .padding = padding_token(config, 50283, sizes.vocabulary)};
  Stack<Layer<GatedFeedForward>> stack{
      .embeddings = Embeddings({word}, width, first, {}, embedding), .layers = {}, .width = width};
  const Rotary global_rotary = rotary_of(options.global_rope, 2 * sizes.heads, head_dim),
               local_rotary = rotary_of(options.local_rope, 2 * sizes.heads, head_dim);
  uint32_t site = 1;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    const bool global = options.global[static_cast<size_t>(i)];
    const AttentionShape shape = self_attention_shape(sizes.heads, width, global ? -1 : options.side);
    const Linear qkv(layout, layer + "attn.Wqkv", width, 3 * width, options.attention_bias);
    const Linear mix(layout, layer + "attn.Wo", width, width, options.attention_bias);
    const Norm mlp_norm(layout, layer + "mlp_norm", width, options.norm);
    const OutputBlock mixed(mix, mlp_norm, NormPlace::kPre, sizes.attention_dropout, site + 1);
    const Linear inner(layout, layer + "mlp.Wi", width, 2 * sizes.inner, options.mlp_bias);
    const Linear outer(layout, layer + "mlp.Wo", sizes.inner, width, options.mlp_bias);
    // What the next block reads: the norm before the next layer's attention, or the last of all.
    const bool last = i + 1 == sizes.layers;
    const std::string next = last ? "final_norm" : "layers." + std::to_string(i + 1) + ".attn_norm";
    const OutputBlock output(outer, Norm(layout, prefix + next, width, options.norm), NormPlace::kPre, 0, site + 3);
    stack.layers.push_back(
        {SelfAttention(qkv, global ? global_rotary : local_rotary, shape, {}, sizes.attention_dropout, site, mixed),
         GatedFeedForward(inner, {options.activation, true}, options.mlp_dropout, site + 2, output)});
    site += 4;
  }
  return make_transformer({width, sizes.vocabulary, 1, sizes.positions}, std::move(stack), false, prefix, layout);
}

}  // namespace st
