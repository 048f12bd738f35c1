#include "layers/embeddings.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/index_select.h>
#include <c10/util/BFloat16.h>

#include <utility>
#include <vector>

#include "onnx/ops.h"

namespace st {

namespace {

// As torch.nn.Embedding with padding_idx: what is added to these rows while this lives is taken back.
class Untrained {
 public:
  void add(const at::Tensor& d_table_VE, int64_t row) {
    if (!d_table_VE.defined() || row >= d_table_VE.size(0)) return;
    const at::Tensor d_E = d_table_VE.select(0, row);
    rows_.emplace_back(d_E, d_E.clone());
  }
  ~Untrained() {
    for (auto& [d_E, before_E] : rows_) d_E.copy_(before_E);
  }

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> rows_;
};

}  // namespace

template <typename Of>
EmbeddingTables Embeddings::tables(const Of& of) const {
  const auto table = [&](ParamId id) { return id >= 0 ? at::Tensor(of(id)) : at::Tensor(); };
  return {of(tables_.word), table(tables_.position), table(tables_.type)};
}

std::vector<TableRow> Embeddings::padding_rows() const {
  std::vector<TableRow> out;
  if (options_.padding >= 0) out.push_back({tables_.word, options_.padding});
  if (!options_.counts_padding) out.push_back({tables_.position, options_.padding});
  return out;
}

bool Embeddings::is_trained(const Gradients& gradients) const {
  const auto trains = [&](ParamId id) { return id >= 0 && gradients[id].defined(); };
  return trains(tables_.word) || trains(tables_.position) || trains(tables_.type) ||
         (norm_ && norm_->is_trained(gradients)) || (projection_ && projection_->is_trained(gradients));
}

Embeddings::Kept Embeddings::keep(const Pass& pass) const {
  return {.sum_TE = pass.take(width_, pass.master()),
          .mean_T = pass.take_statistics(),
          .rstd_T = pass.take_statistics(),
          .positions_T = {},
          .x_TE = projection_ ? pass.take(width_) : at::Tensor(),
          .mask = pass.mask_at(options_.site, options_.dropout, width_),
          .inner_TR = projection_ ? projection_->keep(pass) : at::Tensor()};
}

EmbeddingPlaces Embeddings::places(const Pass& pass, const at::Tensor& positions_T) const {
  const double scale = options_.word_scale;
  const bool rounds = pass.compute() == at::kBFloat16;
  return {positions_T, rounds ? static_cast<double>(c10::BFloat16(static_cast<float>(scale))) : scale};
}

Embeddings::Kept Embeddings::forward(const Pass& pass, const at::Tensor& out_TD) const {
  Kept kept = keep(pass);
  const bool plain = options_.counts_padding || tables_.position < 0;
  kept.positions_T = plain ? pass.input.positions_T : positions_after_padding(pass.input, options_.padding);
  EmbeddingTables values = tables([&](ParamId id) { return pass.parameters.master(id); });
  EmbeddingPlaces read = places(pass, kept.positions_T);
  if (!values.word_VD.defined()) {
    // Of a halved table only the rows that the batch reads are converted.
    const at::Tensor& ids_T = pass.input.ids_T;
    values.word_VD = at::index_select(pass.parameters.value(tables_.word), 0, ids_T).to(pass.master());
    read.words_T = at::arange(ids_T.size(0), ids_T.options());
  }
  embedding_norm(pass.input, kept.mask, values, read, norm(pass), kept.sum_TE, projection_ ? kept.x_TE : out_TD,
                 kept.mean_T, kept.rstd_T);
  if (projection_) projection_->forward(pass, kept.x_TE, kept.inner_TR, out_TD);
  return kept;
}

onnx::Value Embeddings::add_to(onnx::Graph& graph) const {
  const auto rows = [&](ParamId table, const onnx::Value& ids) {
    return graph.add("Gather", {graph.parameter(table), ids});
  };
  onnx::Value x = rows(tables_.word, onnx::kIds);
  if (options_.word_scale != 1) x = onnx::multiply(graph, x, graph.number(options_.word_scale));
  if (tables_.type >= 0) {
    // A table of one row is not read by types.
    const bool one = graph.tensors(tables_.type).at(0).shape[0] == 1;
    x = onnx::add(graph, x, rows(tables_.type, one ? graph.integers({0}) : onnx::kTypes));
  }
  if (tables_.position >= 0) {
    const bool plain = options_.counts_padding;
    const onnx::Value places =
        plain ? onnx::positions_S(graph) : onnx::positions_after_padding_BS(graph, options_.padding);
    x = onnx::add(graph, x, rows(tables_.position, places));
  }
  if (norm_) x = norm_->add_to(graph, x);
  return projection_ ? projection_->add_to(graph, x) : x;
}

void Embeddings::backward(const Pass& pass, Gradients& gradients, const Kept& kept, const at::Tensor& d_out_TD) const {
  const Scratch scratch(pass.workspace);
  at::Tensor d_x_TE = d_out_TD;
  if (projection_) {
    d_x_TE = pass.take(width_);
    projection_->backward(pass, gradients, kept.x_TE, kept.inner_TR, d_out_TD, d_x_TE, false);
    projection_->backward_bias(gradients, d_out_TD);
  }
  const EmbeddingTables d_tables = tables([&](ParamId id) { return gradients[id]; });
  Untrained untrained;
  for (const auto& [table, row] : padding_rows()) untrained.add(gradients[table], row);
  embedding_norm_backward(pass.input, kept.mask, places(pass, kept.positions_T), norm(pass), d_x_TE, kept.sum_TE,
                          kept.mean_T, kept.rstd_T, d_tables, norm_ ? norm_->gamma_gradient(gradients) : at::Tensor(),
                          norm_ ? norm_->beta_gradient(gradients) : at::Tensor());
}

}  // namespace st
