#pragma once

#include <optional>

#include "layers/output_block.h"
#include "layers/rotary.h"
#include "ops/attention.h"
#include "ops/linear_head_norm.h"

namespace st {

// A bias of attention's scores by relative position (RelativeBias), of which layers may share the table
// [buckets or more, heads].
struct BiasTable {
  ParamId table;
  int64_t buckets;
  int64_t max_distance;
  bool both_ways;
};

// Of queries, keys and values as wide together as the model each, with the usual scale. `window`: as in AttentionShape.
AttentionShape self_attention_shape(int64_t heads, int64_t width, int64_t window = -1);

// RMS norms of each head's query and key, before they are turned.
struct QueryKeyNorms {
  Norm query, key;
};

// sum + dropout(W_o attention(W_qkv x)), and its norm. Queries and keys may be turned by their positions; those that
// are may have norms.
class SelfAttention {
 public:
  SelfAttention(Linear qkv, std::optional<Rotary> rotary, const AttentionShape& shape, std::optional<BiasTable> bias,
                double dropout, uint32_t site, OutputBlock output, std::optional<QueryKeyNorms> norms = {})
      : qkv_(qkv),
        rotary_(rotary),
        norms_(norms),
        shape_(shape),
        bias_(bias),
        dropout_(dropout),
        site_(site),
        output_(output) {}

  // Of a training pass, for its way back.
  struct Kept {
    at::Tensor x_TD, qkv_TX, context_TD, lse_HT, mask;
    at::Tensor heads_TK;     // queries and keys before their norms
    at::Tensor inner_TR;     // of the adapter of W_qkv
    bool reads_sum = false;  // the stream came as one tensor
    OutputBlock::Kept output;
  };

  NormPlace place() const { return output_.place(); }
  bool is_trained(const Gradients& gradients) const;
  Stream take_stream(const Pass& pass) const { return output_.take_stream(pass); }
  // All that forward() keeps, but for x.
  Kept keep(const Pass& pass) const;
  // out may be the memory of `in` where no backward follows.
  Kept forward(const Pass& pass, const Stream& in, const Stream& out) const;
  GraphStream add_to(onnx::Graph& graph, const GraphStream& in) const;
  // Returns the gradient of `in`, in the memory of d_out.
  Stream backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const;

  // The parts, for passes that keep keys and values (generation). qkv: queries, keys and values side by side.
  int64_t qkv_width() const { return qkv_.width(); }
  void project(const Pass& pass, const at::Tensor& x_TD, at::Tensor qkv_TX) const {
    project(pass, x_TD, {}, qkv_TX, {});
  }
  std::optional<RelativeBias> bias(const Pass& pass) const;
  const AttentionShape& shape() const { return shape_; }
  const OutputBlock& output() const { return output_; }

 private:
  int64_t width() const { return shape_.heads * shape_.head_dim; }
  HeadNorms head_norms(const Pass& pass) const;
  // heads_TK and inner_TR are kept, if they are defined.
  void project(const Pass& pass, const at::Tensor& x_TD, const at::Tensor& inner_TR, at::Tensor qkv_TX,
               at::Tensor heads_TK) const;
  void project_back(const Pass& pass, const Gradients& gradients, const Kept& kept, const at::Tensor& d_qkv_TX) const;
  AttentionCall call(const Pass& pass, const std::optional<RelativeBias>& bias) const;

  Linear qkv_;
  std::optional<Rotary> rotary_;
  std::optional<QueryKeyNorms> norms_;
  AttentionShape shape_;
  std::optional<BiasTable> bias_;
  double dropout_;
  uint32_t site_;
  OutputBlock output_;
};

}  // namespace st
