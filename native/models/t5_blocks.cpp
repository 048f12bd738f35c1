#include "models/t5_blocks.h"

#include <algorithm>
#include <vector>

#include "core/model_config.h"
#include "ops/activation.h"

namespace st {

namespace {

SizeKeys keys(const T5Defaults& defaults) {
  return {.width = {"d_model", 512},
          .heads = {"num_heads", defaults.heads},
          .inner = {"d_ff", defaults.inner},
          .layers = {"num_layers", defaults.layers},
          .vocabulary = {"vocab_size", defaults.vocabulary},
          .positions = {"", 1},
          .token_types = {"", 1},
          .head_dim = {"d_kv", 64},
          .epsilon = {"layer_norm_epsilon", 1e-6},
          .dropout = {"dropout_rate", 0.1},
          .attention_dropout = {"dropout_rate", 0.1}};
}

// "relu" or "gated-gelu", where gelu is that with tanh. `is_gated_act` and `dense_act_fn`, which files repeat, count.
struct ActivationName {
  std::string name;
  bool gated;

  ActivationName(const ModelConfig& config, const std::string& fallback) {
    const std::string proj = config.text("feed_forward_proj", fallback), lead = "gated-";
    gated = proj.rfind(lead, 0) == 0;
    name = proj == "gated-gelu" ? "gelu_new" : gated ? proj.substr(lead.size()) : proj;
    gated = config.boolean("is_gated_act", gated);
    const std::vector<std::string> built = {"relu", "gelu", "gelu_new", "silu"};
    const bool derived = !config.has("dense_act_fn");
    if (!derived) name = config.text("dense_act_fn", name);
    if (std::find(built.begin(), built.end(), name) != built.end()) return;
    config.not_built(
        derived ? "feed_forward_proj" : "dense_act_fn",
        derived ? "relu, gelu, silu, gated-relu, gated-gelu and gated-silu" : "relu, gelu, gelu_new and silu");
  }
};

}  // namespace

T5Options::T5Options(const Config& given, const T5Defaults& defaults)
    : sizes(given, keys(defaults)), norm{.epsilon = sizes.epsilon, .kind = NormKind::kRms, .beta = false} {
  const ModelConfig config(given);
  const ActivationName found(config, defaults.feed_forward);
  activation = parse_activation(found.name, "dense_act_fn in config.json");
  gated = found.gated;
  constexpr int64_t kMost = 1 << 20;
  // Both ways there are two halves, and each has distances with a bucket of their own.
  buckets = config.integer("relative_attention_num_buckets", 32, 4, kMost);
  max_distance = config.integer("relative_attention_max_distance", 128, buckets / 2 + 1, int64_t{1} << 30);
  constexpr int64_t kMostLayers = 4096;
  decoder_layers = config.integer("num_decoder_layers", sizes.layers, 1, kMostLayers);
  // transformers 5 ties whatever the file says, and writes its answer under a key of its own.
  const bool tied = config.boolean("tie_word_embeddings", true);
  scales_output = defaults.may_scale && config.boolean("scale_decoder_outputs", tied);
}

BiasTable T5Blocks::bias(bool both_ways) const {
  // No weight decay: in transformers no tensor has it whose name contains "bias".
  const ParamId table = layout_.add(stack_ + "block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                                    {options_.buckets, options_.sizes.heads}, Group::kNoDecay);
  return {table, options_.buckets, options_.max_distance, both_ways};
}

SelfAttention T5Blocks::self_attention(const std::string& name, const BiasTable& bias, bool causal, const Norm& next,
                                       uint32_t site) const {
  const TransformerSizes& sizes = options_.sizes;
  const int64_t width = options_.attention_width();
  const std::string own = stack_ + name;
  const Linear qkv(layout_, {{own + ".q", width}, {own + ".k", width}, {own + ".v", width}}, sizes.width, false);
  // The initial values make up for the scale.
  const AttentionShape shape{
      .heads = sizes.heads, .kv_heads = sizes.heads, .head_dim = sizes.head_dim, .scale = 1, .causal = causal};
  const OutputBlock output(linear(name + ".o", width, sizes.width), next, NormPlace::kPre, sizes.dropout, site + 1);
  return {qkv, {}, shape, bias, sizes.dropout, site, output};
}

CrossAttention T5Blocks::cross_attention(const std::string& name, const Norm& next, uint32_t site) const {
  const TransformerSizes& sizes = options_.sizes;
  const int64_t width = options_.attention_width();
  const std::string own = stack_ + name;
  const Linear keys_values(layout_, {{own + ".k", width}, {own + ".v", width}}, sizes.width, false);
  const AttentionShape shape{.heads = sizes.heads, .kv_heads = sizes.heads, .head_dim = sizes.head_dim, .scale = 1};
  const OutputBlock output(linear(name + ".o", width, sizes.width), next, NormPlace::kPre, sizes.dropout, site + 1);
  return {linear(name + ".q", sizes.width, width), keys_values, shape, sizes.dropout, site, output};
}

template <>
FeedForward T5Blocks::feed_forward<FeedForward>(const std::string& name, const Norm& next, uint32_t site) const {
  const int64_t width = options_.sizes.width, inner = options_.sizes.inner;
  const double dropout = options_.sizes.dropout;
  const Linear first = linear(name + ".wi", width, inner), second = linear(name + ".wo", inner, width);
  const OutputBlock output(second, next, NormPlace::kPre, dropout, site + 1);
  return {first, options_.activation, output, dropout, site};
}

template <>
GatedFeedForward T5Blocks::feed_forward<GatedFeedForward>(const std::string& name, const Norm& next,
                                                          uint32_t site) const {
  const int64_t width = options_.sizes.width, inner = options_.sizes.inner;
  const double dropout = options_.sizes.dropout;
  const std::string own = stack_ + name;
  const Linear first(layout_, {{own + ".wi_0", inner}, {own + ".wi_1", inner}}, width, false);
  const OutputBlock output(linear(name + ".wo", inner, width), next, NormPlace::kPre, dropout, site + 1);
  return {first, {options_.activation, true}, dropout, site, output};
}

}  // namespace st
