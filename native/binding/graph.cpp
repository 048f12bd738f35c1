// A graph of ONNX operators as a JavaScript object.
#include "binding/graph.h"

#include <string>
#include <variant>
#include <vector>

namespace st::binding {
namespace {

template <typename T, typename Make>
Napi::Array list(Napi::Env env, const std::vector<T>& values, const Make& make) {
  auto array = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) array[static_cast<uint32_t>(i)] = make(values[i]);
  return array;
}

template <typename T>
Napi::Array numbers(Napi::Env env, const std::vector<T>& values) {
  return list(env, values, [&](T value) { return Napi::Number::New(env, static_cast<double>(value)); });
}

Napi::Array texts(Napi::Env env, const std::vector<std::string>& values) {
  return list(env, values, [&](const std::string& value) { return Napi::String::New(env, value); });
}

Napi::Object from_attribute(Napi::Env env, const onnx::Attribute& attribute) {
  auto object = Napi::Object::New(env);
  object["name"] = attribute.name;
  if (const auto* integer = std::get_if<int64_t>(&attribute.value)) {
    object["integer"] = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&attribute.value)) {
    object["number"] = *number;
  } else {
    object["integers"] = numbers(env, std::get<std::vector<int64_t>>(attribute.value));
  }
  return object;
}

Napi::Object from_node(Napi::Env env, const onnx::Node& node) {
  auto object = Napi::Object::New(env);
  object["op"] = node.op;
  object["inputs"] = texts(env, node.inputs);
  object["outputs"] = texts(env, node.outputs);
  object["attributes"] =
      list(env, node.attributes, [&](const onnx::Attribute& attribute) { return from_attribute(env, attribute); });
  return object;
}

Napi::Object from_constant(Napi::Env env, const onnx::Constant& constant) {
  const auto* integers = std::get_if<std::vector<int64_t>>(&constant.data);
  auto object = Napi::Object::New(env);
  object["name"] = constant.name;
  object["integer"] = integers != nullptr;
  object["shape"] = numbers(env, constant.shape);
  object["values"] =
      integers != nullptr ? numbers(env, *integers) : numbers(env, std::get<std::vector<float>>(constant.data));
  return object;
}

Napi::Object from_weight(Napi::Env env, const onnx::Weight& weight) {
  auto object = Napi::Object::New(env);
  object["name"] = weight.name;
  object["tensor"] = weight.tensor;
  object["shape"] = numbers(env, weight.shape);
  object["transposed"] = weight.transposed;
  return object;
}

Napi::Object from_port(Napi::Env env, const onnx::Port& port) {
  auto object = Napi::Object::New(env);
  object["name"] = port.name;
  object["integer"] = port.integer;
  object["shape"] = list(env, port.shape, [&](const onnx::Dimension& dimension) -> Napi::Value {
    if (const auto* name = std::get_if<std::string>(&dimension)) return Napi::String::New(env, *name);
    return Napi::Number::New(env, static_cast<double>(std::get<int64_t>(dimension)));
  });
  return object;
}

}  // namespace

Napi::Object from_graph(Napi::Env env, const onnx::Model& model) {
  const auto ports = [&](const std::vector<onnx::Port>& from) {
    return list(env, from, [&](const onnx::Port& port) { return from_port(env, port); });
  };
  auto object = Napi::Object::New(env);
  object["opset"] = static_cast<double>(onnx::kOpset);
  object["inputs"] = ports(model.inputs);
  object["outputs"] = ports(model.outputs);
  object["nodes"] = list(env, model.nodes, [&](const onnx::Node& node) { return from_node(env, node); });
  object["constants"] =
      list(env, model.constants, [&](const onnx::Constant& constant) { return from_constant(env, constant); });
  object["weights"] = list(env, model.weights, [&](const onnx::Weight& weight) { return from_weight(env, weight); });
  return object;
}

}  // namespace st::binding
