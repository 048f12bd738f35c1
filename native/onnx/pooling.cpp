#include "onnx/pooling.h"

#include "onnx/ops.h"
#include "ops/pooled_tokens.h"

namespace st::onnx {

namespace {

constexpr int64_t kOff = 0, kOn = 1;

Value sum_of_tokens(Graph& graph, const Value& x, int64_t keep) {
  return graph.add("ReduceSum", {x, graph.integers({1})}, {{"keepdims", keep}});
}

// The sum of the tokens by their weights, divided by f of the sum of the weights.
Value weighted_BD(Graph& graph, const Value& x_BSD, const Value& weight_BS, bool root) {
  constexpr double kLeast = 1e-9;  // of sentence-transformers
  const Value weight_BS1 = graph.add("Unsqueeze", {weight_BS, graph.integers({2})});
  const Value total_B1 = graph.add("Max", {sum_of_tokens(graph, weight_BS, kOn), graph.number(kLeast)});
  const Value divisor_B1 = root ? graph.add("Sqrt", {total_B1}) : total_B1;
  return graph.add("Div", {sum_of_tokens(graph, multiply(graph, x_BSD, weight_BS1), kOff), divisor_B1});
}

Value highest_BD(Graph& graph, const Value& x_BSD) {
  constexpr double kLowest = -1e9;  // of sentence-transformers
  const Value is_token_BS = graph.add("Greater", {mask_BS(graph), graph.number(0)});
  const Value is_token_BS1 = graph.add("Unsqueeze", {is_token_BS, graph.integers({2})});
  const Value tokens_BSD = graph.add("Where", {is_token_BS1, x_BSD, graph.number(kLowest)});
  return graph.add("ReduceMax", {tokens_BSD}, {{"axes", std::vector<int64_t>{1}}, {"keepdims", kOff}});
}

Value pool_BD(Graph& graph, const Value& x_BSD, PoolingMode mode) {
  const Value mask = mask_BS(graph);
  switch (mode) {
    case PoolingMode::kCls: {
      const Value first_B = graph.add("ArgMax", {mask}, {{"axis", int64_t{1}}, {"keepdims", kOff}});
      return token_BD(graph, x_BSD, first_B);
    }
    case PoolingMode::kLastToken:
      return token_BD(graph, x_BSD, last_place_B(graph, mask));
    case PoolingMode::kMax:
      return highest_BD(graph, x_BSD);
    case PoolingMode::kWeightedMean: {
      // 1, 2, … from the first token on, wherever the padding is.
      const Value number_BS = graph.add("CumSum", {mask, graph.integer(1)});
      return weighted_BD(graph, x_BSD, multiply(graph, number_BS, mask), false);
    }
    case PoolingMode::kMean:
    case PoolingMode::kMeanSqrtLength:
      return weighted_BD(graph, x_BSD, mask, mode == PoolingMode::kMeanSqrtLength);
  }
  return {};
}

}  // namespace

Value pool_BD(Graph& graph, const Value& x_BSD, const std::vector<std::string>& modes) {
  std::vector<Value> parts;
  for (const std::string& mode : modes) parts.push_back(pool_BD(graph, x_BSD, parse_pooling_mode(mode)));
  return parts.size() == 1 ? parts[0] : graph.add("Concat", parts, {{"axis", int64_t{1}}});
}

}  // namespace st::onnx
