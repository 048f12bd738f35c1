#pragma once

#include <optional>
#include <vector>

#include "layers/linear.h"
#include "layers/norm.h"
#include "ops/embedding_norm.h"

namespace st {

struct EmbeddingOptions {
  double dropout = 0;
  uint32_t site = 0;
  int64_t padding = -1;        // the padding token, whose embedding is not trained; -1 = none
  bool counts_padding = true;  // positions count from 0; else from the padding token on, which has none (RoBERTa)
  double word_scale = 1;       // rounded to the compute dtype, as transformers has it in the dtype of the weights
};

// A row of a table, such as that of the padding token.
struct TableRow {
  ParamId table;
  int64_t row;
};

// dropout(norm(word + position + type)), then a projection: of each of them but word there may be none.
class Embeddings {
 public:
  struct Tables {
    ParamId word, position = -1, type = -1;
  };

  Embeddings() = default;
  Embeddings(const Tables& tables, int64_t width, std::optional<Norm> norm, std::optional<Linear> projection,
             const EmbeddingOptions& options)
      : tables_(tables), width_(width), norm_(norm), projection_(projection), options_(options) {}

  // Of a training pass, for its way back.
  struct Kept {
    at::Tensor sum_TE, mean_T, rstd_T, positions_T, x_TE;
    DropoutMask mask;
    at::Tensor inner_TR;  // of the projection's adapter
  };

  ParamId word_table() const { return tables_.word; }
  // What torch.nn.Embedding calls padding_idx: these rows are not trained, and are 0 in a new model.
  std::vector<TableRow> padding_rows() const;
  bool is_trained(const Gradients& gradients) const;
  Kept keep(const Pass& pass) const;
  Kept forward(const Pass& pass, const at::Tensor& out_TD) const;
  onnx::Value add_to(onnx::Graph& graph) const;
  // Uses up what was kept.
  void backward(const Pass& pass, Gradients& gradients, const Kept& kept, const at::Tensor& d_out_TD) const;

 private:
  EmbeddingPlaces places(const Pass& pass, const at::Tensor& positions_T) const;
  NormWeights norm(const Pass& pass) const { return norm_ ? norm_->weights(pass) : NormWeights{{}, {}, 0}; }
  // Of these tables in the values or the gradients.
  template <typename Of>
  EmbeddingTables tables(const Of& of) const;

  Tables tables_ = {-1};
  int64_t width_ = 0;
  std::optional<Norm> norm_;
  std::optional<Linear> projection_;
  EmbeddingOptions options_;
};

}  // namespace st
