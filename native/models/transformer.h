#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "layers/stack.h"
#include "models/model.h"
#include "models/pooler.h"

namespace st {

// A model that is a stack of layers, and maybe a pooler: what architectures compose.
template <typename Layer>
class Transformer final : public Model {
 public:
  Transformer(const ModelSizes& sizes, Stack<Layer> stack, std::optional<Pooler> pooler)
      : sizes_(sizes), stack_(std::move(stack)), pooler_(pooler) {}

  const ModelSizes& sizes() const override { return sizes_; }
  ParamId token_table() const override { return stack_.embeddings.word_table(); }
  std::vector<TableRow> padding_rows() const override { return stack_.embeddings.padding_rows(); }
  int64_t outputs() const override { return static_cast<int64_t>(stack_.layers.size()) + 1; }
  std::unique_ptr<Kept> make_kept() const override { return std::make_unique<StackKept>(); }

  at::Tensor forward(const Pass& pass, Kept& given) const override {
    auto& kept = static_cast<StackKept&>(given);
    const at::Tensor x_TD = stack_.forward(pass, kept.stack);
    kept.outputs_TD = stack_.outputs_TD(kept.stack);
    return x_TD;
  }

  void backward(const Pass& pass, Kept& given, Gradients& gradients, at::Tensor d_x_TD,
                const std::vector<at::Tensor>& d_layers) const override {
    auto& kept = static_cast<StackKept&>(given);
    stack_.backward(pass, gradients, kept.stack, d_x_TD, d_layers);
    kept.outputs_TD.clear();
  }

  onnx::Value add_to(onnx::Graph& graph, std::vector<onnx::Value>& outputs) const override {
    return stack_.add_to(graph, outputs);
  }

  int64_t kept_per_token(const Parameters& parameters, bool recompute) const override {
    return stack_.kept_per_token(parameters, recompute);
  }

  at::Tensor pooler_output(const Pass& pass, const at::Tensor& x_TD) const override {
    check(pooler_.has_value(), "ERR_INVALID_ARGUMENT",
          "This model has no pooler (pooler.dense.weight), so no pooler_output");
    return pooler_->output(pass, x_TD);
  }

 private:
  struct StackKept : Kept {
    typename Stack<Layer>::Kept stack;
  };

  ModelSizes sizes_;
  Stack<Layer> stack_;
  std::optional<Pooler> pooler_;
};

// With a frozen pooler if asked for.
template <typename Layer>
std::unique_ptr<Model> make_transformer(const ModelSizes& sizes, Stack<Layer> stack, bool pooler,
                                        const std::string& prefix, Layout& layout) {
  std::optional<Pooler> own;
  if (pooler) own.emplace(layout, prefix, sizes.width);
  return std::make_unique<Transformer<Layer>>(sizes, std::move(stack), own);
}

}  // namespace st
