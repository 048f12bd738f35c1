#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "layers/disentangled_attention.h"
#include "onnx/ops.h"

namespace st {

namespace {

using Axes = std::vector<int64_t>;

// x_BHSR at the places of table_SS along R: [B, H, S, S].
onnx::Value at_places(onnx::Graph& graph, const onnx::Value& x_BHSR, const onnx::Value& places_SS,
                      const onnx::Value& like_BHSS) {
  const onnx::Value places_BHSS = graph.add("Expand", {places_SS, graph.add("Shape", {like_BHSS})});
  return graph.add("GatherElements", {x_BHSR, places_BHSS}, {{"axis", int64_t{3}}});
}

onnx::Value transposed(onnx::Graph& graph, const onnx::Value& x, Axes axes) {
  return graph.add("Transpose", {x}, {{"perm", std::move(axes)}});
}

}  // namespace

GraphStream DisentangledAttention::add_to(onnx::Graph& graph, const GraphStream& in) const {
  const int64_t heads = shape_.heads, size = shape_.width / heads;
  const std::vector<TensorInfo> weights = graph.tensors(weight_), biases = graph.tensors(bias_);
  const auto projected = [&](const onnx::Value& x, size_t part) {
    return onnx::product(graph, x, weights[part], &biases[part]);
  };
  const onnx::Value q_BHSE = onnx::heads_BHSE(graph, projected(in.x, 0), heads, size),
                    k_BHSE = onnx::heads_BHSE(graph, projected(in.x, 1), heads, size),
                    v_BHSE = onnx::heads_BHSE(graph, projected(in.x, 2), heads, size);

  const onnx::Value table = graph.parameter(positions_.table);
  const onnx::Value rows_RD = graph.once(
      "positions of " + table, [&] { return positions_.norm ? positions_.norm->add_to(graph, table) : table; });
  const auto by_head_HER = [&](size_t part) {
    const onnx::Value rows_RHE = graph.add("Reshape", {projected(rows_RD, part), graph.integers({0, heads, size})});
    return transposed(graph, rows_RHE, {1, 2, 0});
  };

  // Beyond `most`, distances have the first or the last place.
  const int64_t most = 2 * std::max(positions_.max_distance, positions_.span);
  const onnx::Value places_SS = graph.once("places of " + table, [&] {
    std::vector<int64_t> places;
    for (int64_t distance = -most; distance <= most; ++distance) places.push_back(place_of(distance));
    return graph.add("Gather", {graph.integers(std::move(places)), onnx::distances_SS(graph, most)});
  });
  const onnx::Value reversed_SS =
      graph.once("places of keys of " + table, [&] { return transposed(graph, places_SS, {1, 0}); });

  const onnx::Value content = onnx::scores_BHSS(graph, q_BHSE, k_BHSE);
  const onnx::Value to_position = at_places(graph, graph.add("MatMul", {q_BHSE, by_head_HER(1)}), places_SS, content);
  const onnx::Value from_position =
      at_places(graph, graph.add("MatMul", {k_BHSE, by_head_HER(0)}), reversed_SS, content);
  const onnx::Value sum =
      onnx::add(graph, onnx::add(graph, content, to_position), transposed(graph, from_position, {0, 1, 3, 2}));
  const AttentionShape shape{
      .heads = heads, .kv_heads = heads, .head_dim = size, .scale = 1 / std::sqrt(3.0 * static_cast<double>(size))};
  const onnx::Value scores = onnx::multiply(graph, sum, graph.number(shape.scale));
  const onnx::Value seen = onnx::add(graph, scores, onnx::mask_bias(graph, shape));
  return output_.add_to(graph, onnx::attend_BSX(graph, shape, seen, v_BHSE), in);
}

}  // namespace st
