#include "engine/tensor_ops.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/diagonal.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/le.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/max.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/min.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/ne.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/sizes.h"

namespace st {
namespace {

// 4 GiB in float32.
constexpr int64_t kMostTensorElements = int64_t{1} << 30;

struct Args {
  const std::vector<at::Tensor>& in;
  const Config& options;
  std::vector<HostArray>& arrays;

  const at::Tensor& operator[](size_t i) const { return in[i]; }
  int64_t dim() const { return options.integer("dim"); }
  bool keeps() const { return options.boolean("keepDim", false); }
  std::vector<int64_t> dims() const {
    check(options.has("dims"), "ERR_INVALID_ARGUMENT", "Expected dims");
    return whole_numbers(options, "dims", 0);
  }
  // Infinite numbers come as texts.
  double number(const char* name) const {
    const std::string* text = options.has(name) ? options.member(name).if_string() : nullptr;
    if (text == nullptr) return options.number(name);
    if (*text == "Infinity") return std::numeric_limits<double>::infinity();
    if (*text == "-Infinity") return -std::numeric_limits<double>::infinity();
    return std::numeric_limits<double>::quiet_NaN();
  }
  // The second operand: a tensor, or a number.
  at::Tensor other() const { return in.size() > 1 ? in[1] : at::scalar_tensor(number("value"), in[0].options()); }
  std::vector<int64_t> shape() const {
    std::vector<int64_t> sizes = whole_numbers(options, "shape", 0);
    const int64_t count = checked_product("a tensor", sizes);
    check(count <= kMostTensorElements, "ERR_INVALID_ARGUMENT", "Expected at most ", kMostTensorElements,
          " elements of a tensor but found ", count);
    return sizes;
  }
  at::ScalarType dtype() const {
    const std::string name = options.string("dtype", "float32");
    if (name == "float32") return at::kFloat;
    if (name == "float64") return at::kDouble;
    if (name == "int64") return at::kLong;
    check(name == "bool", "ERR_INVALID_ARGUMENT", "Expected float32, float64, int64 or bool but received ", name);
    return at::kBool;
  }
  at::Generator generator() const {
    return at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(options.integer("seed")));
  }
  int64_t reduction() const {
    const std::string name = options.string("reduction", "mean");
    return name == "none" ? at::Reduction::None : name == "sum" ? at::Reduction::Sum : at::Reduction::Mean;
  }
};

void check_range(const char* what, const at::Tensor& index, int64_t least, int64_t below,
                 std::optional<int64_t> but = std::nullopt) {
  check(index.scalar_type() == at::kLong, "ERR_INVALID_ARGUMENT", "Expected whole numbers (int64) for ", what);
  const at::Tensor flat = index.contiguous();
  const int64_t* values = flat.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    check((values[i] >= least && values[i] < below) || values[i] == but, "ERR_INVALID_ARGUMENT",
          "Expected whole numbers from ", least, " to ", below - 1, " for ", what, " but found ", values[i],
          " at place ", i);
  }
}

// The tensor owns the values.
template <typename T>
at::Tensor from_values(std::vector<T>& values, const std::vector<int64_t>& shape) {
  check(static_cast<int64_t>(values.size()) == checked_product("a tensor", shape), "ERR_INVALID_ARGUMENT",
        "Expected as many values as the shape has elements but received ", values.size());
  auto* kept = new std::vector<T>(std::move(values));
  return at::from_blob(
      kept->data(), shape, [kept](void*) { delete kept; }, at::TensorOptions(c10::CppTypeToScalarType<T>::value));
}

at::Tensor from_host(Args& args) {
  const auto index = static_cast<size_t>(args.options.integer("array"));
  check(index < args.arrays.size(), "ERR_INVALID_ARGUMENT", "Expected an array for a tensor's values");
  const std::vector<int64_t> shape = args.shape();
  return std::visit([&](auto& values) { return from_values(values, shape); }, args.arrays[index]).to(args.dtype());
}

at::Tensor cross_entropy(Args& args) {
  check(args[0].dim() == 2 && args[1].dim() == 1, "ERR_INVALID_ARGUMENT",
        "Expected logits [rows, classes] and one target a row");
  const int64_t ignored = args.options.integer("ignoreIndex", -100);
  check_range("the targets of crossEntropy", args[1], 0, args[0].size(1), ignored);
  return at::cross_entropy_loss(args[0], args[1], {}, args.reduction(), ignored,
                                args.options.number("labelSmoothing", 0));
}

at::Tensor clamp(Args& args) {
  std::optional<at::Scalar> least, most;
  if (args.options.has("min")) least = args.number("min");
  if (args.options.has("max")) most = args.number("max");
  return at::clamp(args[0], least, most);
}

at::Tensor normalize(Args& args) {
  const int64_t dim = args.dim();
  const at::Tensor length = at::linalg_vector_norm(args[0], 2, at::IntArrayRef{dim}, true);
  return args[0] / length.clamp_min(args.options.number("epsilon", 1e-12)).expand_as(args[0]);
}

at::Tensor gradient(Args& args) {
  const at::Tensor& found = args[0].grad();
  if (!found.defined() && args.options.boolean("orZero", false)) return at::zeros_like(args[0].detach());
  check(found.defined(), "ERR_INVALID_ARGUMENT", "The tensor has no gradient: none of backward() has reached it");
  return found.clone();
}

struct Op {
  size_t least, most;  // number of tensors
  std::function<at::Tensor(Args&)> run;
};
constexpr size_t kAny = std::numeric_limits<size_t>::max();

const std::map<std::string, Op>& ops() {
  static const std::map<std::string, Op> table = {
      // Made of nothing.
      {"data", {0, 0, from_host}},
      {"full", {0, 0, [](Args& a) { return at::full(a.shape(), a.number("value"), a.dtype()); }}},
      {"eye", {0, 0, [](Args& a) { return at::eye(a.shape().at(0), a.dtype()); }}},
      {"arange",
       {0, 0,
        [](Args& a) {
          const double start = a.number("start");
          return at::arange(static_cast<double>(a.shape().at(0)), at::kDouble).add(start).to(a.dtype());
        }}},
      {"randn", {0, 0, [](Args& a) { return at::randn(a.shape(), a.generator(), a.dtype()); }}},
      {"rand", {0, 0, [](Args& a) { return at::rand(a.shape(), a.generator(), a.dtype()); }}},
      {"leaf", {1, 1, [](Args& a) { return a[0].detach().clone().requires_grad_(true); }}},
      {"detach", {1, 1, [](Args& a) { return a[0].detach(); }}},
      {"grad", {1, 1, gradient}},
      {"to", {1, 1, [](Args& a) { return a[0].to(a.dtype()); }}},
      // Element by element.
      {"neg", {1, 1, [](Args& a) { return -a[0]; }}},
      {"abs", {1, 1, [](Args& a) { return at::abs(a[0]); }}},
      {"exp", {1, 1, [](Args& a) { return at::exp(a[0]); }}},
      {"log", {1, 1, [](Args& a) { return at::log(a[0]); }}},
      {"sqrt", {1, 1, [](Args& a) { return at::sqrt(a[0]); }}},
      {"relu", {1, 1, [](Args& a) { return at::relu(a[0]); }}},
      {"tanh", {1, 1, [](Args& a) { return at::tanh(a[0]); }}},
      {"sigmoid", {1, 1, [](Args& a) { return at::sigmoid(a[0]); }}},
      {"softplus", {1, 1, [](Args& a) { return at::softplus(a[0]); }}},
      {"clamp", {1, 1, clamp}},
      {"add", {1, 2, [](Args& a) { return a[0] + a.other(); }}},
      {"sub", {1, 2, [](Args& a) { return a[0] - a.other(); }}},
      {"mul", {1, 2, [](Args& a) { return a[0] * a.other(); }}},
      {"div", {1, 2, [](Args& a) { return a[0] / a.other(); }}},
      {"pow", {1, 2, [](Args& a) { return a.in.size() > 1 ? at::pow(a[0], a[1]) : at::pow(a[0], a.number("value")); }}},
      {"maximum", {1, 2, [](Args& a) { return at::maximum(a[0], a.other()); }}},
      {"minimum", {1, 2, [](Args& a) { return at::minimum(a[0], a.other()); }}},
      {"eq", {1, 2, [](Args& a) { return at::eq(a[0], a.other()); }}},
      {"ne", {1, 2, [](Args& a) { return at::ne(a[0], a.other()); }}},
      {"gt", {1, 2, [](Args& a) { return at::gt(a[0], a.other()); }}},
      {"ge", {1, 2, [](Args& a) { return at::ge(a[0], a.other()); }}},
      {"lt", {1, 2, [](Args& a) { return at::lt(a[0], a.other()); }}},
      {"le", {1, 2, [](Args& a) { return at::le(a[0], a.other()); }}},
      {"where", {3, 3, [](Args& a) { return at::where(a[0], a[1], a[2]); }}},
      // Over dimensions.
      {"sum", {1, 1, [](Args& a) { return at::sum(a[0], a.dims(), a.keeps()); }}},
      {"mean", {1, 1, [](Args& a) { return at::mean(a[0], a.dims(), a.keeps()); }}},
      {"logsumexp", {1, 1, [](Args& a) { return at::logsumexp(a[0], a.dims(), a.keeps()); }}},
      {"norm", {1, 1, [](Args& a) { return at::linalg_vector_norm(a[0], a.number("p"), a.dims(), a.keeps()); }}},
      {"max",
       {1, 1,
        [](Args& a) { return a.options.has("dim") ? std::get<0>(at::max(a[0], a.dim(), a.keeps())) : at::max(a[0]); }}},
      {"min",
       {1, 1,
        [](Args& a) { return a.options.has("dim") ? std::get<0>(at::min(a[0], a.dim(), a.keeps())) : at::min(a[0]); }}},
      {"argmax", {1, 1, [](Args& a) { return at::argmax(a[0], a.dim(), a.keeps()); }}},
      {"softmax", {1, 1, [](Args& a) { return at::softmax(a[0], a.dim()); }}},
      {"logSoftmax", {1, 1, [](Args& a) { return at::log_softmax(a[0], a.dim()); }}},
      {"normalize", {1, 1, normalize}},
      {"matmul", {2, 2, [](Args& a) { return at::matmul(a[0], a[1]); }}},
      // Places.
      {"transpose",
       {1, 1, [](Args& a) { return a[0].transpose(a.options.integer("first"), a.options.integer("second")); }}},
      {"reshape", {1, 1, [](Args& a) { return a[0].reshape(a.shape()); }}},
      {"expand", {1, 1, [](Args& a) { return a[0].expand(a.shape()); }}},
      {"slice",
       {1, 1, [](Args& a) { return a[0].narrow(a.dim(), a.options.integer("start"), a.options.integer("length")); }}},
      {"select", {1, 1, [](Args& a) { return a[0].select(a.dim(), a.options.integer("index")); }}},
      {"diagonal", {1, 1, [](Args& a) { return at::diagonal(a[0]); }}},
      {"triu", {1, 1, [](Args& a) { return at::triu(a[0], a.options.integer("diagonal")); }}},
      {"tril", {1, 1, [](Args& a) { return at::tril(a[0], a.options.integer("diagonal")); }}},
      {"indexSelect",
       {2, 2,
        [](Args& a) {
          check_range("indexSelect", a[1], 0, a[0].size(a.dim()));
          return at::index_select(a[0], a.dim(), a[1]);
        }}},
      {"gather",
       {2, 2,
        [](Args& a) {
          check_range("gather", a[1], 0, a[0].size(a.dim()));
          return at::gather(a[0], a.dim(), a[1]);
        }}},
      {"cat", {1, kAny, [](Args& a) { return at::cat(a.in, a.dim()); }}},
      {"stack", {1, kAny, [](Args& a) { return at::stack(a.in, a.dim()); }}},
      // Losses.
      {"crossEntropy", {2, 2, cross_entropy}},
      {"mseLoss", {2, 2, [](Args& a) { return at::mse_loss(a[0], a[1], a.reduction()); }}},
      {"binaryCrossEntropyWithLogits",
       {2, 2, [](Args& a) { return at::binary_cross_entropy_with_logits(a[0], a[1], {}, {}, a.reduction()); }}},
  };
  return table;
}

}  // namespace

at::Tensor run_tensor_op(const std::string& name, const std::vector<at::Tensor>& in, const Config& options,
                         std::vector<HostArray>& arrays) {
  const auto found = ops().find(name);
  check(found != ops().end(), "ERR_INVALID_ARGUMENT", "There is no operation ", name, " of tensors");
  const Op& op = found->second;
  check(in.size() >= op.least && in.size() <= op.most, "ERR_INVALID_ARGUMENT", "The operation ", name,
        " does not take ", in.size(), " tensors");
  Args args{in, options, arrays};
  return op.run(args);
}

}  // namespace st
