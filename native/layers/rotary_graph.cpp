#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "layers/rotary.h"
#include "onnx/ops.h"

namespace st {

namespace {

// theta^(2 i / w) divided by the base of rows of length L, which is (factor L / trained - (factor - 1))^(w / (w - 2))
// times theta where L is above `trained`: a power 2 i / (w - 2) of that factor. [B, 1, R].
onnx::Value frequencies_B1R(onnx::Graph& graph, const onnx::Value& usual_R, const DynamicNtk& ntk, int64_t width) {
  const onnx::Value tokens_B1 =
      graph.add("ReduceSum", {onnx::mask_BS(graph), graph.integers({1})}, {{"keepdims", int64_t{1}}});
  const auto trained = static_cast<double>(ntk.trained);
  const onnx::Value longer_B1 = graph.add("Max", {tokens_B1, graph.number(trained)});
  const onnx::Value scale_B1 = graph.add(
      "Sub", {onnx::multiply(graph, longer_B1, graph.number(ntk.factor / trained)), graph.number(ntk.factor - 1)});
  std::vector<float> powers;
  for (int64_t i = 0; i < width / 2; ++i) {
    powers.push_back(static_cast<float>(-2.0 * static_cast<double>(i) / static_cast<double>(width - 2)));
  }
  const onnx::Value scale_B11 = graph.add("Unsqueeze", {scale_B1, graph.integers({2})});
  const onnx::Value factor_B1R = graph.add("Pow", {scale_B11, graph.numbers(std::move(powers), {width / 2})});
  return onnx::multiply(graph, factor_B1R, usual_R);
}

// cos and sin of each position for both halves of a head: [S, E], or [B, 1, S, E] where they depend on the row.
std::pair<onnx::Value, onnx::Value> cos_sin(onnx::Graph& graph, const RotaryBase& base, int64_t width) {
  const at::Tensor frequency_R = rotary_frequencies(base, width, at::kFloat);
  const float* values = frequency_R.data_ptr<float>();
  const std::vector<float> list(values, values + width / 2);
  std::string key = "angles";
  for (float value : list) key += " " + std::to_string(static_cast<double>(value) * 1e9);
  if (base.ntk) key += " ntk " + std::to_string(base.ntk->factor) + " " + std::to_string(base.ntk->trained);
  const onnx::Value angles = graph.once(key, [&] {
    onnx::Value frequency = graph.numbers(list, {width / 2});
    if (base.ntk) frequency = frequencies_B1R(graph, frequency, *base.ntk, width);
    const onnx::Value at_S = graph.add("Cast", {onnx::positions_S(graph)}, {{"to", int64_t{1}}});
    const onnx::Value at_S1 = graph.add("Unsqueeze", {at_S, graph.integers({1})});
    onnx::Value half = onnx::multiply(graph, at_S1, frequency);
    if (base.ntk) half = graph.add("Unsqueeze", {half, graph.integers({1})});
    return graph.add("Concat", {half, half}, {{"axis", int64_t{-1}}});
  });
  const auto of_angles = [&](const char* op) {
    return graph.once(op + (" of " + angles), [&] { return graph.add(op, {angles}); });
  };
  return {of_angles("Cos"), of_angles("Sin")};
}

}  // namespace

onnx::Value Rotary::add_to(onnx::Graph& graph, const onnx::Value& x_BHSE) const {
  check(shape_.rotated == shape_.head_dim, "ERR_NOT_IMPLEMENTED",
        "Heads that are turned in part are not built for ONNX files");
  const int64_t half = shape_.rotated / 2;
  const auto [cos, sin] = cos_sin(graph, base(), shape_.rotated);
  const std::vector<onnx::Value> halves = onnx::split(graph, x_BHSE, {half, half});
  const onnx::Value across = graph.add("Concat", {graph.add("Neg", {halves[1]}), halves[0]}, {{"axis", int64_t{-1}}});
  return onnx::add(graph, onnx::multiply(graph, x_BHSE, cos), onnx::multiply(graph, across, sin));
}

}  // namespace st
