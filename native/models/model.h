#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "layers/embeddings.h"
#include "layers/pass.h"
#include "onnx/graph.h"

namespace st {

// `positions` of models that take rows of any length.
inline constexpr int64_t kAnyLength = int64_t{1} << 31;

struct ModelSizes {
  int64_t width, vocabulary, token_types;
  int64_t positions;  // of the longest row
  // The mean of the token embeddings is the sentence embedding, without a Pooling module, and rows may be empty.
  bool takes_mean = false;
};

// A transformer from packed tokens to token embeddings.
class Model {
 public:
  virtual ~Model() = default;
  virtual const ModelSizes& sizes() const = 0;
  // The parameter [vocabulary, width] whose rows are the embeddings of tokens.
  virtual ParamId token_table() const = 0;
  virtual std::vector<TableRow> padding_rows() const = 0;
  // What a pass keeps for its way back: in its workspace, and not in the model, so that passes may live side by side.
  struct Kept {
    virtual ~Kept() = default;
    // Before the first layer and after each: transformers' hidden_states. Of training passes, or where they are asked
    // for.
    std::vector<at::Tensor> outputs_TD;
  };
  // How many outputs there are: one more than layers.
  virtual int64_t outputs() const = 0;
  virtual std::unique_ptr<Kept> make_kept() const = 0;
  // [T, width] in the compute dtype, in the pass's workspace.
  virtual at::Tensor forward(const Pass& pass, Kept& kept) const = 0;
  // Adds to the gradients; d_x is used up, and so is what was kept. `d_layers`: gradients of the outputs, beside that
  // of the last layer; empty, or as many, undefined where there is none.
  virtual void backward(const Pass& pass, Kept& kept, Gradients& gradients, at::Tensor d_x_TD,
                        const std::vector<at::Tensor>& d_layers) const = 0;
  // Bytes that a training pass with such parameters keeps for each token. Their values are not read.
  virtual int64_t kept_per_token(const Parameters& parameters, bool recompute) const = 0;
  // What forward() computes as a graph of the inputs of onnx/ops.h, [B, S, width]. `outputs` get those of Kept.
  virtual onnx::Value add_to(onnx::Graph& graph, std::vector<onnx::Value>& outputs) const = 0;
  // What transformers calls pooler_output, [rows, width]; throws ERR_INVALID_ARGUMENT if the model has no pooler.
  virtual at::Tensor pooler_output(const Pass& pass, const at::Tensor& x_TD) const = 0;
};

// Makes the architecture that a config.json names in model_type; its parameters are added to `layout` under `prefix`.
std::unique_ptr<Model> make_model(const std::string& architecture, const Config& config, bool pooler,
                                  const std::string& prefix, Layout& layout);

}  // namespace st
