#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "layers/pass.h"
#include "models/initial.h"
#include "onnx/graph.h"

namespace st {

// Some rows of a matrix.
struct ParameterRows {
  ParamId matrix;
  std::vector<int32_t> rows;
};

// What a pass asks of a SparseAutoEncoder.
struct LatentsWanted {
  bool trains = false;        // counts it
  bool reconstructs = false;  // the input again, for a loss
  int64_t column_rows = 0;    // rows of a column, where the batch has several; 0: all
  int64_t active_dims = 0;    // of a row, at most, where nothing is trained; 0: as many as the module says
};

// What the modules after the transformer read and write. Everything is in the master dtype and differentiable by
// autograd.
struct HeadState {
  const Pass& pass;
  at::Tensor tokens_TD;  // undefined where the first head reads the token table in their place
  at::Tensor sentence_RD;
  std::vector<at::Tensor> outputs_TD;         // of all layers, where a head reads them
  const std::vector<at::Tensor>& parameters;  // by ParamId
  at::Tensor rows_KD = {};                    // those that a head reads
  // Of the rows in tokens_TD, once a head has left tokens out or joined some; empty: those of the batch.
  std::vector<int32_t> offsets = {};
  LatentsWanted latents = {};
  // What a SparseAutoEncoder makes of its input, where it is asked for: [rows, parts, width], see its header.
  at::Tensor reconstruction_RPD = {};
};

// The same as a graph of the inputs of onnx/ops.h.
struct HeadGraph {
  onnx::Graph& graph;
  onnx::Value tokens, sentence;
  std::vector<onnx::Value> outputs;
};

// x W' + b, with what an adapter adds; `bias` may be undefined.
at::Tensor adapted_linear(const HeadState& state, const at::Tensor& x_RD, ParamId weight, const at::Tensor& bias);

// A module after the transformer: Pooling, Dense, Normalize, …; SequenceClassification is the architecture's
// (models/architecture.h).
class Head {
 public:
  virtual ~Head() = default;
  virtual void forward(HeadState& state) const = 0;
  // What forward() computes. False where it reads what the graph has not: which tokens are those of a prompt.
  virtual bool add_to(HeadGraph& state) const = 0;
  virtual int64_t width() const = 0;  // of the sentence embedding that it leaves; 0: none yet
  // Of the token embeddings that it leaves as those of a model with a vector for each token; 0: it is no such module.
  virtual int64_t token_width() const { return 0; }
  // Whether it reads what comes out of each layer.
  virtual bool reads_outputs() const { return false; }
  virtual std::vector<ParamId> parameters() const { return {}; }
  // The rows of a large matrix that it reads, of which the gradient has these rows alone; null: there are none.
  virtual const ParameterRows* rows() const { return nullptr; }
  // Whether it reads rows of the token table where there are no token embeddings.
  virtual bool reads_table() const { return false; }
  // Asks for sentence embeddings of length 1: false where that takes a module of its own.
  virtual bool normalize() { return false; }
  // Whether it makes its input again, and counts the batches that train it.
  virtual bool reconstructs() const { return false; }
  // Whether forward() takes an input that is fixed.
  virtual bool takes_fixed() const { return true; }
};

// `width_in`: of the token embeddings for the first head, of the sentence embedding for others (0 = there is none yet).
std::unique_ptr<Head> make_head(const Config& spec, const std::string& prefix, int64_t token_width, int64_t width_in,
                                Layout& layout);

// A module over token embeddings (token_heads.cpp); null where the spec is another one.
std::unique_ptr<Head> make_token_head(const Config& spec, const std::string& prefix, int64_t token_width,
                                      Layout& layout);
// Leaves out the tokens that nobody attends to, unless a MultiVectorMask has said which ones count.
void leave_hidden_out(HeadState& state);

// The values of a new tensor of such a module, as in sentence-transformers.
Initial initial_of_module(const Config& spec, const std::string& name);

// The mean of the token embeddings, prompts included: what models without a Pooling module do.
std::unique_ptr<Head> make_mean_pooling(int64_t token_width);
// The same for a model whose token embeddings are the rows of its table as they are.
std::unique_ptr<Head> make_table_mean(int64_t token_width, ParamId table);

}  // namespace st
