#include "onnx/ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "core/error.h"
#include "ops/relative_bias.h"

namespace st::onnx {

namespace {

// Of TensorProto.DataType.
constexpr int64_t kFloat = 1, kInt64 = 7, kBool = 9;

using Axes = std::vector<int64_t>;

Value cast(Graph& graph, const Value& x, int64_t type) {
  return graph.add("Cast", {x}, {{"to", type}});
}

Value unsqueezed(Graph& graph, const Value& x, Axes axes) {
  return graph.add("Unsqueeze", {x, graph.integers(std::move(axes))});
}

}  // namespace

Value add(Graph& graph, const Value& a, const Value& b) {
  return graph.add("Add", {a, b});
}

Value multiply(Graph& graph, const Value& a, const Value& b) {
  return graph.add("Mul", {a, b});
}

std::vector<Value> split(Graph& graph, const Value& x, std::vector<int64_t> sizes) {
  const size_t parts = sizes.size();
  return graph.add("Split", {x, graph.integers(std::move(sizes))}, {{"axis", int64_t{-1}}}, parts);
}

Value product(Graph& graph, const Value& x, const TensorInfo& weight, const TensorInfo* bias) {
  const Value out = graph.add("MatMul", {x, graph.weight(weight, true)});
  return bias == nullptr ? out : add(graph, out, graph.weight(*bias));
}

Value product(Graph& graph, const Value& x, ParamId weight, ParamId bias) {
  const TensorInfo matrix = graph.tensors(weight).at(0);
  if (bias < 0) return product(graph, x, matrix, nullptr);
  const TensorInfo added = graph.tensors(bias).at(0);
  return product(graph, x, matrix, &added);
}

Value activate(Graph& graph, Activation activation, const Value& x) {
  const auto half_of = [&](const Value& inner) {
    return multiply(graph, multiply(graph, x, add(graph, inner, graph.number(1))), graph.number(0.5));
  };
  switch (activation) {
    case Activation::kIdentity:
      return x;
    case Activation::kGelu:
      return half_of(graph.add("Erf", {graph.add("Div", {x, graph.number(std::sqrt(2.0))})}));
    case Activation::kGeluTanh: {
      const Value cube = multiply(graph, graph.add("Pow", {x, graph.number(3)}), graph.number(0.044715));
      const double factor = std::sqrt(2 / std::acos(-1.0));
      return half_of(graph.add("Tanh", {multiply(graph, add(graph, x, cube), graph.number(factor))}));
    }
    case Activation::kRelu:
      return graph.add("Relu", {x});
    case Activation::kTanh:
      return graph.add("Tanh", {x});
    case Activation::kSigmoid:
      return graph.add("Sigmoid", {x});
    case Activation::kSilu:
      return multiply(graph, x, graph.add("Sigmoid", {x}));
  }
  fail("ERR_NOT_IMPLEMENTED", "An activation that ONNX files do not have");
}

Value layer_norm(Graph& graph, const Value& x, const Value& gamma, const Value& beta, double epsilon) {
  std::vector<Value> inputs = {x, gamma};
  if (!beta.empty()) inputs.push_back(beta);
  return graph.add("LayerNormalization", std::move(inputs), {{"axis", int64_t{-1}}, {"epsilon", epsilon}});
}

Value rms_norm(Graph& graph, const Value& x, const Value& gamma, double epsilon) {
  const Value square = graph.add("Pow", {x, graph.number(2)});
  const Value mean = graph.add("ReduceMean", {square}, {{"axes", Axes{-1}}, {"keepdims", int64_t{1}}});
  const Value root = graph.add("Sqrt", {add(graph, mean, graph.number(epsilon))});
  return multiply(graph, graph.add("Div", {x, root}), gamma);
}

Value normalize(Graph& graph, const Value& x) {
  constexpr double kLeast = 1e-12;  // of torch.nn.functional.normalize
  const Value length = graph.add("ReduceL2", {x}, {{"axes", Axes{-1}}, {"keepdims", int64_t{1}}});
  return graph.add("Div", {x, graph.add("Max", {length, graph.number(kLeast)})});
}

Value positions_S(Graph& graph) {
  return graph.once("positions", [&] {
    const Value shape = graph.add("Shape", {kIds});
    const Value tokens = graph.add("Gather", {shape, graph.integer(1)});
    return graph.add("Range", {graph.integer(0), tokens, graph.integer(1)});
  });
}

Value positions_after_padding_BS(Graph& graph, int64_t padding) {
  const Value padded = graph.add("Equal", {kIds, graph.integer(padding)});
  const Value counts_BS = cast(graph, graph.add("Not", {padded}), kInt64);
  const Value number_BS = multiply(graph, graph.add("CumSum", {counts_BS, graph.integer(1)}), counts_BS);
  return add(graph, number_BS, graph.integer(padding));
}

Value distances_SS(Graph& graph, int64_t most) {
  return graph.once("distances " + std::to_string(most), [&] {
    const Value at_S = positions_S(graph);
    const Value apart_SS = graph.add("Sub", {unsqueezed(graph, at_S, {1}), unsqueezed(graph, at_S, {0})});
    const Value within_SS = graph.add("Min", {graph.add("Max", {apart_SS, graph.integer(-most)}), graph.integer(most)});
    return add(graph, within_SS, graph.integer(most));
  });
}

Value mask_BS(Graph& graph) {
  return graph.once("mask", [&] { return cast(graph, kMask, kFloat); });
}

Value last_place_B(Graph& graph, const Value& keep_BS) {
  const Value number_S = add(graph, positions_S(graph), graph.integer(1));
  // One more for every token, so that the first one is found where none is kept.
  const Value places_BS = add(graph, multiply(graph, cast(graph, keep_BS, kInt64), number_S), kMask);
  return graph.add("ArgMax", {places_BS}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
}

Value token_BD(Graph& graph, const Value& x_BSD, const Value& place_B) {
  return graph.add("GatherND", {x_BSD, unsqueezed(graph, place_B, {1})}, {{"batch_dims", int64_t{1}}});
}

Value heads_BHSE(Graph& graph, const Value& x_BSX, int64_t heads, int64_t head_dim) {
  // 0: as it is.
  const Value x_BSHE = graph.add("Reshape", {x_BSX, graph.integers({0, 0, heads, head_dim})});
  return graph.add("Transpose", {x_BSHE}, {{"perm", Axes{0, 2, 1, 3}}});
}

Value mask_bias(Graph& graph, const AttentionShape& shape) {
  const std::string key =
      "mask bias " + std::string(shape.causal ? "causal " : "") + std::to_string(std::max<int64_t>(shape.window, -1));
  return graph.once(key, [&] {
    Value seen = unsqueezed(graph, cast(graph, kMask, kBool), {1, 2});
    const auto narrow = [&](const Value& which) { seen = graph.add("And", {seen, which}); };
    if (shape.causal || shape.window >= 0) {
      const Value at_S = positions_S(graph);
      const Value query_S1 = unsqueezed(graph, at_S, {1}), key_1S = unsqueezed(graph, at_S, {0});
      if (shape.causal) narrow(graph.add("LessOrEqual", {key_1S, query_S1}));
      if (shape.window >= 0) {
        const Value apart_SS = graph.add("Abs", {graph.add("Sub", {query_S1, key_1S})});
        narrow(graph.add("LessOrEqual", {apart_SS, graph.integer(shape.window)}));
      }
    }
    // Finite, so that a row of padding, which sees nothing, has no NaN.
    return graph.add("Where", {seen, graph.number(0), graph.number(std::numeric_limits<float>::lowest())});
  });
}

Value relative_bias(Graph& graph, const Value& table_BH, int64_t buckets, int64_t max_distance, bool both_ways) {
  constexpr int64_t kMost = 65536;
  check(max_distance <= kMost, "ERR_NOT_IMPLEMENTED", "A largest relative distance above ", kMost,
        " is not built for ONNX files, found ", max_distance);
  return graph.once("relative bias " + table_BH, [&] {
    // From `max_distance` on, all have the last bucket.
    std::vector<int64_t> bucket_of;
    for (int64_t query_after = -max_distance; query_after <= max_distance; ++query_after) {
      bucket_of.push_back(relative_bucket(-query_after, buckets, max_distance, both_ways));
    }
    const Value by_distance_MH = graph.add("Gather", {table_BH, graph.integers(std::move(bucket_of))});
    const Value bias_SSH = graph.add("Gather", {by_distance_MH, distances_SS(graph, max_distance)});
    return unsqueezed(graph, graph.add("Transpose", {bias_SSH}, {{"perm", Axes{2, 0, 1}}}), {0});
  });
}

Value shared_heads_BHSE(Graph& graph, const Value& x_BKSE, const AttentionShape& shape) {
  if (shape.heads == shape.kv_heads) return x_BKSE;
  const int64_t group = shape.heads / shape.kv_heads;
  const Value x_BKGSE = graph.add("Expand", {unsqueezed(graph, x_BKSE, {2}), graph.integers({1, 1, group, 1, 1})});
  return graph.add("Reshape", {x_BKGSE, graph.integers({0, shape.heads, -1, shape.head_dim})});
}

Value scores_BHSS(Graph& graph, const Value& q_BHSE, const Value& k_BHSE) {
  return graph.add("MatMul", {q_BHSE, graph.add("Transpose", {k_BHSE}, {{"perm", Axes{0, 1, 3, 2}}})});
}

Value attend_BSX(Graph& graph, const AttentionShape& shape, const Value& scores_BHSS, const Value& v_BHSE) {
  const Value p_BHSS = graph.add("Softmax", {scores_BHSS}, {{"axis", int64_t{-1}}});
  const Value context_BSHE =
      graph.add("Transpose", {graph.add("MatMul", {p_BHSS, v_BHSE})}, {{"perm", Axes{0, 2, 1, 3}}});
  return graph.add("Reshape", {context_BSHE, graph.integers({0, 0, shape.heads * shape.head_dim})});
}

}  // namespace st::onnx
