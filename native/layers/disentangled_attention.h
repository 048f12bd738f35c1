#pragma once

#include <optional>
#include <vector>

#include "layers/norm.h"
#include "layers/output_block.h"
#include "ops/attention.h"

namespace st {

// The relative positions that all layers of a DeBERTa share: a table [2 span, D] and its norm.
struct RelativePositions {
  ParamId table;
  std::optional<Norm> norm;
  int64_t span;     // distances beyond it share its bucket
  int64_t buckets;  // 0: a bucket for each distance
  int64_t max_distance;
  double dropout;
};

// Names of the projections, and the sizes that they share.
struct DisentangledShape {
  int64_t heads, width;
};

// sum + dropout(W_o attention(W_qkv x)), and its norm, where scores read relative positions. W_q and W_k project
// positions, too (share_att_key).
class DisentangledAttention {
 public:
  // `site`: of the probabilities' dropout; that of positions has the next one.
  DisentangledAttention(Layout& layout, const std::string& prefix, const DisentangledShape& shape,
                        const RelativePositions& positions, double dropout, uint32_t site, OutputBlock output);

  // What a training pass keeps for the backward pass.
  struct Kept {
    at::Tensor x_TD, qkv_TX, context_TD, lse_HT, mask;
    at::Tensor positions_RD;  // as the projections read them
    PositionPair positions;   // projected
    bool reads_sum = false;   // the stream was one tensor
    OutputBlock::Kept output;
  };

  NormPlace place() const { return output_.place(); }
  bool is_trained(const Gradients& gradients) const;
  Stream take_stream(const Pass& pass) const { return output_.take_stream(pass); }
  // What forward() keeps, except x and the positions.
  Kept keep(const Pass& pass) const;
  // out may use the memory of `in` if no backward pass follows.
  Kept forward(const Pass& pass, const Stream& in, const Stream& out) const;
  GraphStream add_to(onnx::Graph& graph, const GraphStream& in) const;
  // Returns the gradient of `in`, in the memory of d_out.
  Stream backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Stream& d_out) const;

 private:
  // Rows of the table that a batch reads.
  struct Range {
    int64_t first, count;
    std::vector<int64_t> places;  // from `first` on, see PositionScores
  };
  Range range_of(const Input& input) const;
  // Of a query `distance` tokens after its key.
  int64_t place_of(int64_t distance) const;
  Weight weight(const Pass& pass) const;
  at::Tensor dropout_RD(const Pass& pass, const Range& range) const;
  void project_positions(const Pass& pass, const Range& range, Kept& kept) const;
  void positions_backward(const Pass& pass, Gradients& gradients, const Kept& kept, const Range& range,
                          const PositionPair& d_positions) const;
  AttentionCall call(const Pass& pass) const;

  DisentangledShape shape_;
  ParamId weight_, bias_;  // of queries, keys and values
  RelativePositions positions_;
  double dropout_;
  uint32_t site_;
  OutputBlock output_;
};

}  // namespace st
