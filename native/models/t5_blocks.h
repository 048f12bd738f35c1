#pragma once

#include <optional>
#include <string>

#include "core/sizes.h"
#include "layers/cross_attention.h"
#include "layers/feed_forward.h"
#include "layers/gated_feed_forward.h"
#include "layers/norm.h"
#include "layers/self_attention.h"

namespace st {

// What transformers fills in for keys that a config.json does not have.
struct T5Defaults {
  int64_t vocabulary, inner, layers, heads;
  const char* feed_forward;
  const char* generator;         // class of the model for text to text
  std::optional<int64_t> start;  // token that a text begins with
  bool may_scale;                // whether tie_word_embeddings decides about the scale of the decoder's states
};

inline constexpr T5Defaults kT5{.vocabulary = 32128,
                                .inner = 2048,
                                .layers = 6,
                                .heads = 8,
                                .feed_forward = "relu",
                                .generator = "T5ForConditionalGeneration",
                                .start = {},
                                .may_scale = true};
inline constexpr T5Defaults kMT5{.vocabulary = 250112,
                                 .inner = 1024,
                                 .layers = 8,
                                 .heads = 6,
                                 .feed_forward = "gated-gelu",
                                 .generator = "MT5ForConditionalGeneration",
                                 .start = 0,
                                 .may_scale = false};

// config.json of T5 or mT5.
struct T5Options {
  T5Options(const Config& config, const T5Defaults& defaults);

  // Of the queries, the keys and the values of all heads: not the model's width, as a rule.
  int64_t attention_width() const { return sizes.heads * sizes.head_dim; }

  TransformerSizes sizes;  // one probability for all places of dropout
  NormOptions norm;
  Activation activation;
  bool gated;
  int64_t buckets, max_distance;  // of relative positions
  int64_t decoder_layers;
  bool scales_output;  // the decoder's states, by 1 / sqrt(width), before its last layer
};

// Makes the blocks that the layers of both stacks consist of. None has a bias, and all norms are RMS norms.
class T5Blocks {
 public:
  // `stack`: "0.encoder." or "0.decoder.".
  T5Blocks(const T5Options& options, const std::string& stack, Layout& layout)
      : options_(options), stack_(stack), layout_(layout) {}

  Norm norm(const std::string& name) const { return {layout_, stack_ + name, options_.sizes.width, options_.norm}; }
  // The norm in front of the attention of layer i; behind the last layer, that of the stack.
  Norm norm_before(int64_t i, int64_t layers) const {
    return norm(i < layers ? "block." + std::to_string(i) + ".layer.0.layer_norm" : "final_layer_norm");
  }
  // The table of the first layer, which serves all.
  BiasTable bias(bool both_ways) const;
  // `name`: "block.0.layer.0.SelfAttention". `next`: the norm of the sum. It has two places of dropout, from `site` on.
  SelfAttention self_attention(const std::string& name, const BiasTable& bias, bool causal, const Norm& next,
                               uint32_t site) const;
  // `name`: "block.0.layer.1.EncDecAttention". Two places of dropout.
  CrossAttention cross_attention(const std::string& name, const Norm& next, uint32_t site) const;
  // `name`: "block.0.layer.1.DenseReluDense". Two places of dropout.
  template <typename FeedForward>
  FeedForward feed_forward(const std::string& name, const Norm& next, uint32_t site) const;

 private:
  Linear linear(const std::string& name, int64_t in, int64_t out) const {
    return {layout_, stack_ + name, in, out, false};
  }

  const T5Options& options_;
  std::string stack_;
  Layout& layout_;
};

template <>
FeedForward T5Blocks::feed_forward<FeedForward>(const std::string& name, const Norm& next, uint32_t site) const;
template <>
GatedFeedForward T5Blocks::feed_forward<GatedFeedForward>(const std::string& name, const Norm& next,
                                                          uint32_t site) const;

}  // namespace st
