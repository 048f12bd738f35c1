#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/sizes.h"
#include "layers/gated_feed_forward.h"
#include "layers/stack.h"
#include "models/description.h"
#include "models/model.h"
#include "models/rope.h"

// The pre-norm layers of decoders as embedding models, under the names of transformers: rotary positions, heads of
// queries that share heads of keys and values, and a gated feed-forward block.
namespace st {

// Keys of config.json that decoders share, with the fallbacks of Qwen.
SizeKeys decoder_keys();

struct DecoderSizes : TransformerSizes {
  // Without num_key_value_heads in config.json there are `kv_heads` of them.
  DecoderSizes(const Config& config, const SizeKeys& keys, int64_t kv_heads);
  int64_t kv_heads;
};

// What a layer sees, and how positions turn there.
struct DecoderLayerKind {
  bool causal = true;
  int64_t window = -1;  // as in AttentionShape
  RotaryBase rope;
};

// Of transformers' `rope_parameters`, or the older `rope_theta` and `rope_scaling`: rope_type default and linear.
RotaryBase decoder_rope(const Config& config, int64_t head_dim);

struct DecoderLayers {
  DecoderSizes sizes;
  NormOptions norm;
  Activation activation;
  std::vector<DecoderLayerKind> kinds;  // one for each layer
  double scale;                         // of the products of queries and keys
  bool qkv_bias = false, output_bias = false;
  bool head_norms = false;    // of queries and keys
  bool branch_norms = false;  // of what each half of a layer adds (Gemma)
  EmbeddingOptions embedding = {};

  std::unique_ptr<Model> make(const std::string& prefix, Layout& layout) const;
};

// `causal`: transformers' class for the next token. Its last layer is tied where config.json says so, or says nothing
// and `tied` does.
Description describe_decoder(const DecoderLayers& layers, const Config& config, const std::string& causal, bool tied);

}  // namespace st
