#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/sizes.h"
#include "layers/embeddings.h"
#include "layers/feed_forward.h"
#include "layers/layer.h"
#include "models/description.h"

namespace st {

// Names of a BERT layer's tensors, behind the layer's own.
struct BertLayerNames {
  std::string query = "attention.self.query", key = "attention.self.key", value = "attention.self.value";
  std::string attention_output = "attention.output.dense", attention_norm = "attention.output.LayerNorm";
  std::string inner = "intermediate.dense", output = "output.dense", norm = "output.LayerNorm";
};

// The layers of BERT, which RoBERTa, ELECTRA and others share.
struct BertLayers {
  TransformerSizes sizes;
  NormOptions norm;
  Activation activation;
  double output_dropout;  // behind the projection of attention

  BertLayers(const Config& config, const SizeKeys& keys, const std::string& activation_key = "hidden_act");
  // `<prefix><i>.…`; places of dropout are counted from `site` on.
  std::vector<Layer<FeedForward>> add_to(Layout& layout, const std::string& prefix, const BertLayerNames& names,
                                         uint32_t site, const std::optional<BiasTable>& bias = {}) const;
};

// The id of the padding token, whose embedding is not trained; -1: there is none, as for null. `fallback` where
// config.json says nothing.
int64_t padding_token(const Config& config, int64_t fallback, int64_t vocabulary);

// The tables that BERT's embeddings add up, `<prefix>{word,position,token_type}_embeddings.weight`, and their norm.
class BertEmbeddings {
 public:
  // `width`: of a row, which is that of the model as a rule. A table without rows is left out.
  BertEmbeddings(Layout& layout, const std::string& prefix, const TransformerSizes& sizes, int64_t positions,
                 int64_t token_types, int64_t width, const NormOptions& norm);
  Embeddings with(const EmbeddingOptions& options, std::optional<Linear> projection = {}) const {
    return {tables_, width_, norm_, projection, options};
  }

 private:
  Embeddings::Tables tables_;
  int64_t width_;
  Norm norm_;
};

}  // namespace st
