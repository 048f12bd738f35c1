#include "onnx/graph.h"

#include <algorithm>

#include "core/error.h"

namespace st::onnx {

Value Graph::input(const std::string& name, bool integer, std::vector<Dimension> shape) {
  model_.inputs.push_back({name, integer, std::move(shape)});
  return name;
}

void Graph::output(const Value& value, const std::string& name, std::vector<Dimension> shape) {
  // A node of its own, so that the value may also be read under its first name.
  model_.nodes.push_back({"Identity", {value}, {name}, {}});
  model_.outputs.push_back({name, false, std::move(shape)});
}

Value Graph::add(const std::string& op, std::vector<Value> inputs, std::vector<Attribute> attributes) {
  return add(op, std::move(inputs), std::move(attributes), 1)[0];
}

std::vector<Value> Graph::add(const std::string& op, std::vector<Value> inputs, std::vector<Attribute> attributes,
                              size_t outputs) {
  const std::string name = op + "_" + std::to_string(counts_[op]++);
  Node node{op, std::move(inputs), {}, std::move(attributes)};
  for (size_t i = 0; i < outputs; ++i) node.outputs.push_back(i == 0 ? name : name + "." + std::to_string(i));
  model_.nodes.push_back(node);
  return node.outputs;
}

Value Graph::constant(Constant constant) {
  const auto [known, is_new] = known_.try_emplace({constant.shape, constant.data});
  if (is_new) {
    constant.name = known->second = "constant_" + std::to_string(model_.constants.size());
    model_.constants.push_back(std::move(constant));
  }
  return known->second;
}

Value Graph::number(double value) {
  return numbers({static_cast<float>(value)}, {});
}

Value Graph::integer(int64_t value) {
  return constant({{}, {}, std::vector<int64_t>{value}});
}

Value Graph::integers(std::vector<int64_t> values) {
  const auto count = static_cast<int64_t>(values.size());
  return constant({{}, {count}, std::move(values)});
}

Value Graph::numbers(std::vector<float> values, std::vector<int64_t> shape) {
  return constant({{}, std::move(shape), std::move(values)});
}

Value Graph::parameter(ParamId id) {
  return weight(tensors(id).at(0));
}

Value Graph::weight(const TensorInfo& tensor, bool transposed) {
  return once((transposed ? "transposed " : "weight ") + tensor.name, [&] {
    // As transformers calls it: the transformer's tensors without the number of their module.
    const Value bare = tensor.name.starts_with("0.") ? tensor.name.substr(2) : tensor.name;
    Weight weight{transposed ? bare + ".transposed" : bare, tensor.name, tensor.shape, transposed};
    if (transposed) std::reverse(weight.shape.begin(), weight.shape.end());
    model_.weights.push_back(weight);
    return weight.name;
  });
}

Value Graph::once(const std::string& key, const std::function<Value()>& make) {
  const auto found = made_.find(key);
  if (found != made_.end()) return found->second;
  return made_[key] = make();
}

}  // namespace st::onnx
