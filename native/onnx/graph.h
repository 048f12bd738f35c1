#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/layout.h"

// A model as a graph of ONNX operators (https://onnx.ai/onnx/operators, opset 17): plain data, which TypeScript writes
// as a file. The blocks of a network add themselves to it, with the formula that they compute themselves.
// Shapes: B rows, S tokens of the longest row, D width, H heads, E head size.
namespace st::onnx {

// The version of the operators' meaning: the first with LayerNormalization.
inline constexpr int64_t kOpset = 17;

// A tensor of the graph, by its name; empty: none.
using Value = std::string;

struct Attribute {
  std::string name;
  std::variant<int64_t, double, std::vector<int64_t>> value;
};

struct Node {
  std::string op;
  std::vector<Value> inputs, outputs;
  std::vector<Attribute> attributes;
};

// Values of the graph's own; shape {} is one number.
struct Constant {
  Value name;
  std::vector<int64_t> shape;
  std::variant<std::vector<int64_t>, std::vector<float>> data;
};

// A parameter of the model, or its transposed matrix.
struct Weight {
  Value name;
  std::string tensor;  // of the layout
  std::vector<int64_t> shape;
  bool transposed = false;
};

// A named dimension, or a size.
using Dimension = std::variant<std::string, int64_t>;

struct Port {
  Value name;
  bool integer;  // int64, else float
  std::vector<Dimension> shape;
};

// A whole graph. Every node stands behind those that it reads.
struct Model {
  std::vector<Port> inputs, outputs;
  std::vector<Node> nodes;
  std::vector<Constant> constants;
  std::vector<Weight> weights;
};

// A graph that grows. Blocks call the functions below and those of onnx/ops.h.
class Graph {
 public:
  // `layout` names the parameters, and has to live as long as the graph.
  explicit Graph(const Layout& layout) : layout_(layout) {}

  Value input(const std::string& name, bool integer, std::vector<Dimension> shape);
  void output(const Value& value, const std::string& name, std::vector<Dimension> shape);

  Value add(const std::string& op, std::vector<Value> inputs, std::vector<Attribute> attributes = {});
  // A node with several outputs.
  std::vector<Value> add(const std::string& op, std::vector<Value> inputs, std::vector<Attribute> attributes,
                         size_t outputs);

  // Constants; equal ones are one.
  Value number(double value);
  Value integer(int64_t value);
  Value integers(std::vector<int64_t> values);  // [n]
  Value numbers(std::vector<float> values, std::vector<int64_t> shape);

  // The tensors of a parameter, one below the other where it is a block of several.
  std::vector<TensorInfo> tensors(ParamId id) const { return layout_.tensors_of(id); }
  // A parameter that is one tensor.
  Value parameter(ParamId id);
  Value weight(const TensorInfo& tensor, bool transposed = false);

  // What several blocks read is made once.
  Value once(const std::string& key, const std::function<Value()>& make);

  const Model& model() const { return model_; }

 private:
  Value constant(Constant constant);

  const Layout& layout_;
  Model model_;
  std::map<std::string, int64_t> counts_;  // of nodes by operator
  std::map<std::string, Value> made_;
  std::map<std::pair<std::vector<int64_t>, std::variant<std::vector<int64_t>, std::vector<float>>>, Value> known_;
};

}  // namespace st::onnx
