#include "models/decoder_layers.h"

#include <optional>

#include "core/error.h"
#include "core/model_config.h"
#include "models/architecture.h"
#include "models/transformer.h"

namespace st {

SizeKeys decoder_keys() {
  return {.width = {"hidden_size", 4096},
          .heads = {"num_attention_heads", 32},
          .inner = {"intermediate_size", 22016},
          .layers = {"num_hidden_layers", 32},
          .vocabulary = {"vocab_size", 151936},
          .positions = {"max_position_embeddings", 32768},
          .token_types = {"", 1},
          .epsilon = {"rms_norm_eps", 1e-6},
          .dropout = {"", 0},
          .attention_dropout = {"attention_dropout", 0}};
}

DecoderSizes::DecoderSizes(const Config& given, const SizeKeys& keys, int64_t fallback)
    : TransformerSizes(given, keys) {
  const ModelConfig config(given);
  const bool absent = given.object().count("num_key_value_heads") == 0;
  kv_heads = config.integer("num_key_value_heads", absent ? fallback : heads, 1, heads);
  check(heads % kv_heads == 0, "ERR_INVALID_MODEL", "Expected a divisor of ", keys.heads.key, " ", heads,
        " as num_key_value_heads in config.json, found ", kv_heads);
  check(head_dim % 2 == 0, "ERR_INVALID_MODEL",
        "Expected an even size of a head, whose halves turn, in config.json, found ", head_dim);
}

RotaryBase decoder_rope(const Config& given, int64_t head_dim) {
  Config::Object read;
  // As in transformers, an older rope_scaling goes before rope_parameters.
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Config::Object* found = given.has(key) ? given.member(key).if_object() : nullptr;
    if (found == nullptr || found->empty()) continue;
    const ModelConfig options(given.member(key));
    for (const char* type : {"rope_type", "type"}) options.only(type, {"default", "linear"});
    if (options.number("partial_rotary_factor", 1) != 1) options.not_built("partial_rotary_factor", "1");
    read.emplace("rope_parameters", *found);
  }
  if (given.has("rope_theta")) read.emplace("rope_theta", given.member("rope_theta"));
  const ModelConfig config(given);
  if (config.number("partial_rotary_factor", 1) != 1) config.not_built("partial_rotary_factor", "1");
  return rotary_base(Config(read), 10000, head_dim);
}

std::unique_ptr<Model> DecoderLayers::make(const std::string& prefix, Layout& layout) const {
  const int64_t width = sizes.width, head_dim = sizes.head_dim;
  const int64_t queries = sizes.heads * head_dim, keys = sizes.kv_heads * head_dim;
  const ParamId word = layout.add(prefix + "embed_tokens.weight", {sizes.vocabulary, width}, Group::kDecay);
  const auto layer_name = [&](int64_t i) { return prefix + "layers." + std::to_string(i) + "."; };
  Stack<Layer<GatedFeedForward>> stack{
      .embeddings = Embeddings({word}, width, {}, {}, embedding),
      .layers = {},
      .width = width,
      .first_norm = FirstNorm(Norm(layout, layer_name(0) + "input_layernorm", width, norm), width)};
  uint32_t site = 1;
  for (int64_t i = 0; i < sizes.layers; ++i) {
    const std::string layer = layer_name(i), self = layer + "self_attn.", mlp = layer + "mlp.";
    const DecoderLayerKind& kind = kinds[static_cast<size_t>(i)];
    const Linear qkv(layout, {{self + "q_proj", queries}, {self + "k_proj", keys}, {self + "v_proj", keys}}, width,
                     qkv_bias);
    std::optional<QueryKeyNorms> norms;
    if (head_norms)
      norms = {Norm(layout, self + "q_norm", head_dim, norm), Norm(layout, self + "k_norm", head_dim, norm)};
    const Linear mix(layout, self + "o_proj", queries, width, output_bias);
    const auto branch_norm = [&](const char* name) {
      return branch_norms ? std::optional(Norm(layout, layer + name, width, norm)) : std::nullopt;
    };
    const std::optional<Norm> after_attention = branch_norm("post_attention_layernorm");
    const char* mlp_norm = branch_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    const OutputBlock mixed(mix, Norm(layout, layer + mlp_norm, width, norm), NormPlace::kPre, 0, 0, after_attention);
    const Linear inner(layout, {{mlp + "gate_proj", sizes.inner}, {mlp + "up_proj", sizes.inner}}, width, false);
    const Linear down(layout, mlp + "down_proj", sizes.inner, width, false);
    // What the next block reads: the norm in front of the next layer, or the last of all.
    const std::string next = i + 1 == sizes.layers ? prefix + "norm" : layer_name(i + 1) + "input_layernorm";
    const OutputBlock output(down, Norm(layout, next, width, norm), NormPlace::kPre, 0, 0,
                             branch_norm("post_feedforward_layernorm"));
    const AttentionShape shape{.heads = sizes.heads,
                               .kv_heads = sizes.kv_heads,
                               .head_dim = head_dim,
                               .scale = scale,
                               .causal = kind.causal,
                               .window = kind.window};
    const Rotary rotary = rotary_of(kind.rope, sizes.heads + sizes.kv_heads, head_dim);
    stack.layers.push_back({SelfAttention(qkv, rotary, shape, {}, sizes.attention_dropout, site, mixed, norms),
                            GatedFeedForward(inner, {activation, true}, 0, 0, output)});
    ++site;
  }
  return make_transformer({width, sizes.vocabulary, 1, sizes.positions}, std::move(stack), false, prefix, layout);
}

Description describe_decoder(const DecoderLayers& layers, const Config& given, const std::string& causal, bool tied) {
  Description out = description_of(layers.sizes, "num_hidden_layers", layers.sizes.positions, 0);
  CheckpointNames& names = out.names;
  names.prefixes = usual_prefixes({"model."});
  const std::string head = "lm_head.weight";
  names.left_out = {"rotary_emb.inv_freq", "layers.#.self_attn.rotary_emb.inv_freq"};
  const ModelConfig config(given);
  out.causal = {.class_name = causal,
                .prefix = "model.",
                .left_out = names.left_out,
                .head = head,
                .table = "embed_tokens.weight",
                .tied = config.boolean("tie_word_embeddings", tied)};
  names.left_out.push_back(head);
  names.layer = "layers.";
  return out;
}

}  // namespace st
