#include <mutex>
#include <string>
#include <vector>

#include "core/error.h"
#include "engine/network.h"
#include "onnx/ops.h"

namespace st {

namespace {

const char* kRows = "batch_size";
const char* kTokens = "sequence_length";

void add_inputs(onnx::Graph& graph, const ModelSizes& sizes) {
  std::vector<const char*> names = {onnx::kIds, onnx::kMask};
  if (sizes.token_types > 1) names.push_back(onnx::kTypes);
  for (const char* name : names) graph.input(name, true, {kRows, kTokens});
}

}  // namespace

onnx::Model Network::graph() const {
  check(decoder_ == nullptr, "ERR_NOT_IMPLEMENTED", "A model for text to text is not built for ONNX files");
  check(!is_multi_vector(), "ERR_NOT_IMPLEMENTED", "A model with a vector for each token is not built for ONNX files");
  const std::lock_guard<std::mutex> lock(layout_mutex_);
  onnx::Graph graph(shown());
  add_inputs(graph, model_->sizes());
  HeadGraph state{.graph = graph, .tokens = {}, .sentence = {}, .outputs = {}};
  state.tokens = model_->add_to(graph, state.outputs);
  bool has_sentence = true;
  for (const auto& head : chains_[0].heads) {
    has_sentence = head->add_to(state);
    if (!has_sentence) break;
  }
  const std::string last = spec_.modules.empty() ? "" : spec_.modules.back().string("type");
  if (last == "SequenceClassification" || last == "LogitScore") {
    graph.output(state.sentence, "logits", {kRows, embedding_width()});
    return graph.model();
  }
  graph.output(state.tokens, "last_hidden_state", {kRows, kTokens, model_->sizes().width});
  if (has_sentence) graph.output(state.sentence, "sentence_embedding", {kRows, embedding_width()});
  return graph.model();
}

}  // namespace st
