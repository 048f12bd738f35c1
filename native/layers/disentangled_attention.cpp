#include "layers/disentangled_attention.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "ops/norm_math.h"

namespace st {

DisentangledAttention::DisentangledAttention(Layout& layout, const std::string& prefix, const DisentangledShape& shape,
                                             const RelativePositions& positions, double dropout, uint32_t site,
                                             OutputBlock output)
    : shape_(shape), positions_(positions), dropout_(dropout), site_(site), output_(output) {
  std::vector<Layout::Part> weights, biases;
  for (const char* name : {"query_proj", "key_proj", "value_proj"}) {
    weights.push_back({prefix + name + ".weight", {shape.width, shape.width}});
    biases.push_back({prefix + name + ".bias", {shape.width}});
  }
  weight_ = layout.add_fused(weights, Group::kDecay);
  bias_ = layout.add_fused(biases, Group::kNoDecay);
}

bool DisentangledAttention::is_trained(const Gradients& gradients) const {
  return gradients[weight_].defined() || gradients[bias_].defined() || gradients[positions_.table].defined() ||
         (positions_.norm && positions_.norm->is_trained(gradients)) || output_.is_trained(gradients);
}

int64_t DisentangledAttention::place_of(int64_t distance) const {
  const int64_t bucket = log_bucket(distance, positions_.buckets, positions_.max_distance);
  return std::clamp<int64_t>(bucket + positions_.span, 0, 2 * positions_.span - 1);
}

DisentangledAttention::Range DisentangledAttention::range_of(const Input& input) const {
  const int64_t longest = std::max<int64_t>(input.longest(), 1);
  Range out;
  for (int64_t distance = 1 - longest; distance < longest; ++distance) out.places.push_back(place_of(distance));
  out.first = out.places.front();
  out.count = out.places.back() - out.first + 1;
  for (int64_t& place : out.places) place -= out.first;
  return out;
}

AttentionCall DisentangledAttention::call(const Pass& pass) const {
  check(!pass.input.batch.hides_tokens(), "ERR_NOT_IMPLEMENTED",
        "Query expansion with attend: false is not built for DeBERTa");
  const int64_t head_dim = shape_.width / shape_.heads;
  // Three products share the scale.
  const AttentionShape shape{.heads = shape_.heads,
                             .kv_heads = shape_.heads,
                             .head_dim = head_dim,
                             .scale = 1 / std::sqrt(3.0 * static_cast<double>(head_dim))};
  const Sequences rows = rows_of(pass.input);
  return {.queries = rows, .keys = rows, .shape = shape, .dropout = pass.dropout_at(site_, dropout_)};
}

Weight DisentangledAttention::weight(const Pass& pass) const {
  const at::Tensor& value_OI = pass.parameters.value(weight_);
  if (pass.training) return {value_OI, nullptr, pass.workspace};
  constexpr int kInt8Way = 2;  // beside packing_way()
  const int64_t rows = pass.input.tokens();
  const at::Tensor& packed_OI =
      pass.parameters.derived(weight_, pass.int8 ? kInt8Way : packing_way(rows), [&](Workspace& workspace) {
        return pass.int8 ? pack_weight_int8(value_OI, workspace) : pack_weight(value_OI, rows, workspace);
      });
  return {value_OI, packed_OI.defined() ? &packed_OI : nullptr, pass.workspace};
}

// The factors of the dropout of positions, or undefined. Positions belong to no row: all parts of a batch have the
// masks that its first row would have, if its tokens were those of the table.
at::Tensor DisentangledAttention::dropout_RD(const Pass& pass, const Range& range) const {
  Dropout dropout = pass.dropout_at(site_ + 1, positions_.dropout);
  if (!dropout.active()) return {};
  dropout.rows = {};
  Rows row;
  row.ids.assign(static_cast<size_t>(range.first + range.count), 0);
  row.offsets = {0, static_cast<int32_t>(row.ids.size())};
  const Input table(row, pass.input.ids_T.device());
  return dropout_multiplier_TD(dropout, table, shape_.width, pass.master()).narrow(0, range.first, range.count);
}

void DisentangledAttention::project_positions(const Pass& pass, const Range& range, Kept& kept) const {
  at::Tensor x_RD = pass.parameters.master(positions_.table).narrow(0, range.first, range.count);
  if (positions_.norm) x_RD = reference::normalize(x_RD, positions_.norm->weights(pass)).out_TD;
  const at::Tensor factors_RD = dropout_RD(pass, range);
  if (factors_RD.defined()) x_RD = x_RD * factors_RD;
  const int64_t x = shape_.width;
  kept.positions_RD = x_RD.to(pass.compute());
  const at::Tensor weight_ID = pass.parameters.value(weight_).narrow(0, 0, 2 * x);
  const at::Tensor bias_I = pass.parameters.value(bias_).narrow(0, 0, 2 * x);
  const at::Tensor both_RI = at::linear(kept.positions_RD, weight_ID, bias_I);
  kept.positions = {both_RI.narrow(1, 0, x), both_RI.narrow(1, x, x)};
}

DisentangledAttention::Kept DisentangledAttention::keep(const Pass& pass) const {
  Kept kept;
  kept.qkv_TX = pass.take(3 * shape_.width);
  kept.context_TD = pass.take(shape_.width);
  if (pass.training) kept.lse_HT = pass.workspace.take({shape_.heads, pass.input.tokens()}, pass.master());
  const AttentionCall of_pass = call(pass);
  if (of_pass.dropout.active()) kept.mask = pass.workspace.take({attention_mask_words(of_pass)}, at::kShort);
  kept.output = output_.keep(pass);
  return kept;
}

DisentangledAttention::Kept DisentangledAttention::forward(const Pass& pass, const Stream& in,
                                                           const Stream& out) const {
  Kept kept = keep(pass);
  kept.x_TD = in.x_TD;
  kept.reads_sum = in.is_one();
  linear(in.x_TD, weight(pass), pass.parameters.master(bias_), kept.qkv_TX);
  const Range range = range_of(pass.input);
  project_positions(pass, range, kept);
  const PositionScores scores{kept.positions, range.places};
  AttentionCall of_pass = call(pass);
  of_pass.positions = &scores;
  attention(of_pass, side_by_side(kept.qkv_TX, of_pass.shape), kept.context_TD, kept.lse_HT, kept.mask);
  output_.forward(pass, kept.context_TD, in, out, kept.output);
  return kept;
}

void DisentangledAttention::positions_backward(const Pass& pass, Gradients& gradients, const Kept& kept,
                                               const Range& range, const PositionPair& d_positions) const {
  const int64_t x = shape_.width;
  const at::ScalarType master = pass.master();
  const at::Tensor d_RI = at::cat({d_positions.q_RX, d_positions.k_RX}, 1);
  if (gradients[weight_].defined()) {
    at::Tensor d_weight_ID = gradients[weight_].narrow(0, 0, 2 * x);
    d_weight_ID.addmm_(d_RI.t(), kept.positions_RD.to(master));
  }
  if (gradients[bias_].defined()) gradients[bias_].narrow(0, 0, 2 * x).add_(d_RI.sum(at::IntArrayRef{0}));
  at::Tensor d_RD = at::matmul(d_RI, pass.parameters.value(weight_).narrow(0, 0, 2 * x).to(master));
  const at::Tensor factors_RD = dropout_RD(pass, range);
  if (factors_RD.defined()) d_RD = d_RD * factors_RD;
  const at::Tensor table_RD = pass.parameters.master(positions_.table).narrow(0, range.first, range.count);
  if (positions_.norm) {
    const NormWeights weights = positions_.norm->weights(pass);
    const reference::Normalized normal = reference::normalize(table_RD, weights);
    d_RD = reference::normalize_backward(d_RD, table_RD, normal.mean_T1.squeeze(1), normal.rstd_T1.squeeze(1), weights,
                                         positions_.norm->gamma_gradient(gradients),
                                         positions_.norm->beta_gradient(gradients));
  }
  const at::Tensor d_table_VD = gradients[positions_.table];
  if (d_table_VD.defined()) d_table_VD.narrow(0, range.first, range.count).add_(d_RD);
}

Stream DisentangledAttention::backward(const Pass& pass, Gradients& gradients, const Kept& kept,
                                       const Stream& d_out) const {
  const Scratch scratch(pass.workspace);
  at::Tensor d_context_TD = pass.take(shape_.width), d_qkv_TX = pass.take(3 * shape_.width);
  const OutputBlock::Back back = output_.backward(pass, gradients, kept.output, d_out, kept.context_TD);
  linear_backward_input(back.d_y_TD, back.weight, d_context_TD, false);
  const Range range = range_of(pass.input);
  const auto zeros_RX = [&] { return at::zeros({range.count, shape_.width}, d_qkv_TX.options().dtype(pass.master())); };
  const PositionPair d_positions{zeros_RX(), zeros_RX()};
  const PositionScores scores{kept.positions, range.places};
  AttentionCall of_pass = call(pass);
  of_pass.positions = &scores;
  attention_backward(of_pass, side_by_side(kept.qkv_TX, of_pass.shape), kept.context_TD, kept.lse_HT, kept.mask,
                     d_context_TD,
                     {.values = side_by_side(d_qkv_TX, of_pass.shape),
                      .biases = side_by_side(gradients[bias_], of_pass.shape),
                      .positions = d_positions});
  positions_backward(pass, gradients, kept, range, d_positions);
  if (gradients[weight_].defined()) {
    linear_backward_weight(d_qkv_TX, kept.x_TD, gradients[weight_], pass.workspace);
  }
  const Stream d_in = kept.reads_sum ? Stream(d_out.sum_TD) : d_out;
  linear_backward_input(d_qkv_TX, {pass.parameters.value(weight_), nullptr, pass.workspace}, d_in.x_TD, kept.reads_sum);
  return d_in;
}

}  // namespace st
