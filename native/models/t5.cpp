#include "models/t5.h"

#include <cmath>

#include "core/model_config.h"
#include "models/architecture.h"
#include "models/t5_blocks.h"
#include "models/transformer.h"

namespace st {

namespace {

// transformers' second names of sizes.
void check_second_names(const ModelConfig& config, const T5Options& options) {
  const TransformerSizes& sizes = options.sizes;
  const auto equal = [&](const char* key, int64_t value) {
    if (config.integer(key, value) != value) config.not_built(key, std::to_string(value));
  };
  equal("hidden_size", sizes.width);
  equal("num_attention_heads", sizes.heads);
  equal("num_hidden_layers", sizes.layers);
  equal("head_dim", sizes.head_dim);
}

// `eos_token_id`: a number, several, or none.
std::vector<int64_t> end_tokens(const Config& config) {
  if (config.object().count("eos_token_id") == 0) return {1};
  if (!config.has("eos_token_id")) return {};
  const Config::Array* several = config.member("eos_token_id").if_array();
  if (several == nullptr) return {ModelConfig(config).integer("eos_token_id", 1, 0)};
  std::vector<int64_t> out;
  for (const Config& one : *several) {
    out.push_back(ModelConfig(Config(Config::Object{{"eos_token_id", one}})).integer("eos_token_id", -1, 0));
  }
  return out;
}

std::optional<int64_t> token(const Config& config, const std::string& key, std::optional<int64_t> fallback) {
  if (config.object().count(key) == 0) return fallback;
  return config.has(key) ? std::optional(ModelConfig(config).integer(key, 0, 0)) : std::nullopt;
}

GeneratorSpec generator_of(const Config& config, const T5Options& options, const T5Defaults& defaults) {
  GeneratorSpec out;
  out.class_name = defaults.generator;
  out.layers = options.decoder_layers;
  out.layers_key = "num_decoder_layers";
  out.layer = "decoder.block.";
  // Some files have a table that no class reads.
  out.left_out = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"};
  out.head = "lm_head.weight";
  out.table = "shared.weight";
  out.copies = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"};
  out.start = token(config, "decoder_start_token_id", defaults.start);
  out.padding = token(config, "pad_token_id", 0);
  out.ends = end_tokens(config);
  return out;
}

Description describe(const Config& given, const T5Defaults& defaults) {
  const ModelConfig config(given);
  const T5Options options(given, defaults);
  config.must_be("is_decoder", false);
  check_second_names(config, options);
  Description out = description_of(options.sizes, "num_layers", 0, 0);
  out.positions = {};
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"transformer."});
  names.renames = {{"encoder.embed_tokens.weight", "shared.weight"}};
  // It is what the encoder reads, where a file has both.
  names.preferred = {"encoder.embed_tokens.weight"};
  names.left_out = {"decoder.*", "lm_head.weight"};
  names.heads.push_back("classification_head");
  names.layer = "encoder.block.";
  out.generator = generator_of(given, options, defaults);
  return out;
}

template <typename FeedForward>
std::unique_ptr<Model> make_encoder(const T5Options& options, const std::string& prefix, Layout& layout) {
  const TransformerSizes& sizes = options.sizes;
  const ParamId word = layout.add(prefix + "shared.weight", {sizes.vocabulary, sizes.width}, Group::kDecay);
  const T5Blocks blocks(options, prefix + "encoder.", layout);
  const BiasTable bias = blocks.bias(true);
  Stack<Layer<FeedForward>> stack{.embeddings = Embeddings({word}, sizes.width, {}, {}, {.dropout = sizes.dropout}),
                                  .layers = {},
                                  .width = sizes.width,
                                  .first_norm = FirstNorm(blocks.norm_before(0, sizes.layers), sizes.width)};
  uint32_t site = 1;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string layer = "block." + std::to_string(i) + ".layer.";
    const Norm inside = blocks.norm(layer + "1.layer_norm");
    const SelfAttention attention = blocks.self_attention(layer + "0.SelfAttention", bias, false, inside, site);
    const Norm next = blocks.norm_before(i + 1, sizes.layers);
    stack.layers.push_back({attention, blocks.feed_forward<FeedForward>(layer + "1.DenseReluDense", next, site + 2)});
    site += 4;
  }
  stack.last_dropout = {sizes.dropout, site};
  return make_transformer({sizes.width, sizes.vocabulary, 1, kAnyLength}, std::move(stack), false, prefix, layout);
}

std::unique_ptr<Model> make(const Config& config, const T5Defaults& defaults, const std::string& prefix,
                            Layout& layout) {
  const T5Options options(config, defaults);
  return options.gated ? make_encoder<GatedFeedForward>(options, prefix, layout)
                       : make_encoder<FeedForward>(options, prefix, layout);
}

// _init_weights of modeling_t5.py.
Initial initial(const Config& given, const T5Defaults& defaults, const std::string& name,
                const std::vector<int64_t>& shape) {
  const T5Options options(given, defaults);
  const double factor = ModelConfig(given).number("initializer_factor", 1, 0, 1e6);
  if (shape.size() == 1) return {.mean = factor};
  const auto inverse_root = [](int64_t size) { return 1 / std::sqrt(static_cast<double>(size)); };
  const TransformerSizes& sizes = options.sizes;
  // The row of the padding token is drawn like all others.
  Initial out{.deviation = factor, .has_padding = false};
  if (name == "shared.weight" || name == "lm_head.weight") return out;
  if (name.ends_with(".q.weight")) {
    out.deviation *= inverse_root(sizes.width * sizes.head_dim);
  } else if (name.ends_with(".o.weight")) {
    out.deviation *= inverse_root(options.attention_width());
  } else if (name.ends_with(".wo.weight")) {
    out.deviation *= inverse_root(sizes.inner);
  } else {
    out.deviation *= inverse_root(sizes.width);
  }
  return out;
}

}  // namespace

Description describe_t5(const Config& config) {
  return describe(config, kT5);
}
Description describe_mt5(const Config& config) {
  return describe(config, kMT5);
}

std::unique_ptr<Model> make_t5(const Config& config, bool, const std::string& prefix, Layout& layout) {
  return make(config, kT5, prefix, layout);
}
std::unique_ptr<Model> make_mt5(const Config& config, bool, const std::string& prefix, Layout& layout) {
  return make(config, kMT5, prefix, layout);
}

Initial initial_t5(const Config& config, const std::string& name, const std::vector<int64_t>& shape) {
  return initial(config, kT5, name, shape);
}
Initial initial_mt5(const Config& config, const std::string& name, const std::vector<int64_t>& shape) {
  return initial(config, kMT5, name, shape);
}

}  // namespace st
